import type { Migration } from './migration.ts';

/**
 * How far a deployment update has come and what it has chosen on the way, so that another process, or a later resume,
 * goes on with the same choices instead of making them again on a deployment that is half changed. What an update did
 * outlives the blueprints it was between.
 */
export const updateProgress: Migration = {
  name: '011-update-progress',
  isBreaking: false,
  up: `
    alter table deployment_updates
      add column is_preview boolean not null default false,
      add column keeps_blueprint boolean not null default false,
      add column phase text not null default 'new'
        constraint deployment_updates_phase check (phase in ('new', 'applied', 'carried_out', 'settled')),
      add column decisions jsonb not null default '{}',
      add column outlook jsonb,
      drop constraint deployment_updates_old_blueprint_id_fkey,
      drop constraint deployment_updates_new_blueprint_id_fkey,
      add foreign key (old_blueprint_id) references blueprints on delete set null,
      add foreign key (new_blueprint_id) references blueprints on delete set null;`,
  down: `
    alter table deployment_updates
      drop column is_preview, drop column keeps_blueprint, drop column phase, drop column decisions, drop column outlook,
      drop constraint deployment_updates_old_blueprint_id_fkey,
      drop constraint deployment_updates_new_blueprint_id_fkey,
      add foreign key (old_blueprint_id) references blueprints on delete cascade,
      add foreign key (new_blueprint_id) references blueprints on delete cascade;`,
};
