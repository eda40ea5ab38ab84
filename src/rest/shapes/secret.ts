import type { Secret } from '../../domain/entities.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

const { text, boolean, timestamp } = fieldsOf<Secret>();

/** A secret in lists: everything but its value. */
export const secretShape: Shape<Secret> = {
  kind: 'Secret',
  fields: [
    timestamp('created_at', 'createdAt'),
    text('visibility', 'visibility', { values: visibilities }),
    text('key', 'id'),
    timestamp('updated_at', 'updatedAt'),
    boolean('is_hidden_value', 'isHiddenValue'),
    text('provider_name', 'providerName'),
    ...commonFields<Secret>().filter(({ name }) => name !== 'private_resource'),
  ],
};
