import type { Filter } from '../../domain/filter.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

const { text, boolean, timestamp, computed } = fieldsOf<Filter>();

export const filterShape: Shape<Filter> = {
  kind: 'Filter',
  fields: [
    timestamp('created_at', 'createdAt'),
    text('id', 'id'),
    text('visibility', 'visibility', { values: visibilities }),
    computed('value', ['rules'], ({ rules }) => rules),
    timestamp('updated_at', 'updatedAt'),
    boolean('is_system_filter', 'isSystemFilter'),
    ...commonFields<Filter>(),
    computed('labels_filter_rules', ['rules'], ({ rules }) => rules.filter(({ type }) => type === 'label')),
    computed('attrs_filter_rules', ['rules'], ({ rules }) => rules.filter(({ type }) => type === 'attribute')),
  ],
};
