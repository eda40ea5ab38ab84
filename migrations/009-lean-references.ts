import type { Migration } from './migration.ts';

/** A table whose rows go with those of another one, without a foreign key. */
interface Dependent {
  table: string;
  column: string;
  parent: string;
}

const dependents: readonly Dependent[] = [
  { table: 'operations', column: 'tasks_graph_id', parent: 'tasks_graphs' },
  { table: 'events', column: 'execution_id', parent: 'executions' },
  { table: 'events', column: 'execution_group_id', parent: 'execution_groups' },
];

function replaceKey({ table, column, parent }: Dependent): string {
  const name = `${parent}_delete_${table}`;
  return `
    alter table ${table} drop constraint ${table}_${column}_fkey;
    create function ${name}() returns trigger language plpgsql as $$
      begin
        delete from ${table} where ${column} in (select storage_id from gone);
        return null;
      end
    $$;
    create trigger ${name} after delete on ${parent} referencing old table as gone
      for each statement execute function ${name}();`;
}

function restoreKey({ table, column, parent }: Dependent): string {
  const name = `${parent}_delete_${table}`;
  return `
    drop trigger ${name} on ${parent};
    drop function ${name}();
    alter table ${table} add constraint ${table}_${column}_fkey foreign key (${column}) references ${parent}
      on delete cascade;`;
}

/**
 * Operations and events are written by the thousand for one graph or execution. A foreign key looks that one row up
 * and locks it for every row that is inserted, which is a third of the cost of an insert. Statements that insert lock
 * the row they refer to once (`for key share`), and a trigger removes what refers to a deleted one: the guarantees are
 * the same.
 */
export const leanReferences: Migration = {
  name: '009-lean-references',
  isBreaking: true,
  up: dependents.map(replaceKey).join('\n'),
  down: dependents.map(restoreKey).join('\n'),
};
