import type { Blueprint, Execution } from '../../domain/entities.ts';
import { blueprintStates } from '../../domain/states.ts';
import { executionShape } from './execution.ts';
import { commonFields, fieldsOf, project, visibilities } from './field.ts';
import type { Shape } from './field.ts';
import { shapeLabels } from './label.ts';

const { text, boolean, timestamp, json, computed } = fieldsOf<BlueprintView>();

/** A blueprint with the execution that uploaded it, which clients follow. */
export interface BlueprintView extends Blueprint {
  readonly uploadExecution: Execution | undefined;
}

/** Members of the nested execution when there is none: clients expect an object full of nulls. */
const noExecution: Readonly<Record<string, null>> = Object.fromEntries(
  [...executionShape.fields.map(({ name }) => name), 'execution_group_id'].map((name) => [name, null]),
);

export const blueprintShape: Shape<BlueprintView> = {
  kind: 'Blueprint',
  fields: [
    timestamp('created_at', 'createdAt'),
    text('id', 'id'),
    text('visibility', 'visibility', { values: visibilities }),
    text('main_file_name', 'mainFileName'),
    json('plan', 'plan'),
    json('requirements', 'requirements'),
    timestamp('updated_at', 'updatedAt'),
    text('description', 'description'),
    boolean('is_hidden', 'isHidden'),
    text('state', 'state', { values: blueprintStates }),
    text('error', 'error'),
    text('error_traceback', 'errorTraceback'),
    ...commonFields<BlueprintView>(),
    computed('labels', ['labels'], ({ labels }) => shapeLabels(labels)),
    computed('upload_execution', ['uploadExecutionId'], ({ uploadExecution }) =>
      uploadExecution ? { ...project(executionShape.fields, uploadExecution), execution_group_id: null } : noExecution,
    ),
  ],
  retired: ['plan_p'],
};
