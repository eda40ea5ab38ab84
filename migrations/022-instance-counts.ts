import type { Migration } from './migration.ts';

/**
 * Counts what an update changed for drifted_instances and unavailable_instances from the rows after it less the rows
 * before it. Nothing is known of the size of transition tables when a statement is planned, so joining them compared
 * every changed instance with every other one.
 */
export const instanceCounts: Migration = {
  name: '022-instance-counts',
  isBreaking: false,
  up: `
    create or replace function count_updated_instances() returns trigger language plpgsql as $$
      begin
        perform apply_instance_counts(array_agg(node_id), array_agg(deployment_id), array_agg(drifted), array_agg(unavailable))
        from (
          select node_id, min(deployment_id) as deployment_id, sum(drifted)::integer as drifted,
            sum(unavailable)::integer as unavailable
          from (
            select node_id, deployment_id, has_configuration_drift::integer as drifted,
              (not is_status_check_ok)::integer as unavailable
            from new_rows
            union all
            select node_id, deployment_id, -has_configuration_drift::integer, -(not is_status_check_ok)::integer
            from old_rows
          ) as changed
          group by node_id having sum(drifted) <> 0 or sum(unavailable) <> 0
        ) as difference
        having count(*) > 0;
        return null;
      end
    $$;
  `,
  down: `
    create or replace function count_updated_instances() returns trigger language plpgsql as $$
      begin
        perform apply_instance_counts(array_agg(node_id), array_agg(deployment_id), array_agg(drifted), array_agg(unavailable))
        from (
          select new_rows.node_id, min(new_rows.deployment_id) as deployment_id,
            sum(new_rows.has_configuration_drift::integer - old_rows.has_configuration_drift::integer)::integer as drifted,
            sum(old_rows.is_status_check_ok::integer - new_rows.is_status_check_ok::integer)::integer as unavailable
          from new_rows join old_rows using (storage_id)
          where new_rows.has_configuration_drift <> old_rows.has_configuration_drift
            or new_rows.is_status_check_ok <> old_rows.is_status_check_ok
          group by new_rows.node_id
        ) as difference
        having count(*) > 0;
        return null;
      end
    $$;
  `,
};
