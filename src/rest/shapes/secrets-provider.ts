import type { SecretsProviderView } from '../../services/secrets-providers.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

const { text, timestamp, computed } = fieldsOf<SecretsProviderView>();

export const secretsProviderShape: Shape<SecretsProviderView> = {
  kind: 'SecretsProvider',
  fields: [
    text('id', 'id'),
    computed('name', ['id'], ({ id }) => id, 'text'),
    text('type', 'type'),
    computed('connection_parameters', [], ({ connectionParameters }) => connectionParameters ?? null),
    timestamp('created_at', 'createdAt'),
    timestamp('updated_at', 'updatedAt'),
    text('visibility', 'visibility', { values: visibilities }),
    ...commonFields<SecretsProviderView>(),
  ],
  extraColumns: { name: 'id' },
};
