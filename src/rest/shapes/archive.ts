import type { StoredArchive } from '../../domain/cluster.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

const { text, timestamp } = fieldsOf<StoredArchive>();

function archiveShape(kind: string): Shape<StoredArchive> {
  return {
    kind,
    fields: [
      timestamp('created_at', 'createdAt'),
      text('id', 'id'),
      text('visibility', 'visibility', { values: visibilities }),
      text('status', 'status', { values: ['creating', 'created', 'failed', 'uploaded'] }),
      text('error', 'error'),
      ...commonFields<StoredArchive>(),
    ],
  };
}

export const snapshotShape = archiveShape('Snapshot');
export const logBundleShape = archiveShape('LogBundle');
