import { access } from './001-access.ts';
import { resources } from './002-resources.ts';
import { deployments } from './003-deployments.ts';
import { topology } from './004-topology.ts';
import { engine } from './005-engine.ts';
import { events } from './006-events.ts';
import { administration } from './007-administration.ts';
import { audit } from './008-audit.ts';
import { leanReferences } from './009-lean-references.ts';
import { queueChannel } from './010-queue-channel.ts';
import { updateProgress } from './011-update-progress.ts';
import { control } from './013-control.ts';
import { auditAddress } from './015-audit-address.ts';
import { outboxVhost } from './015-outbox-vhost.ts';
import { secretSettings } from './015-secret-settings.ts';
import { tenants } from './016-tenants.ts';
import { live } from './017-live.ts';
import { restores } from './017-restores.ts';
import { queuedRequests } from './018-queued-requests.ts';
import { accessVersion } from './020-access-version.ts';
import { doneRequests } from './021-done-requests.ts';
import { instanceCounts } from './022-instance-counts.ts';
import { usedLogins } from './024-used-logins.ts';
import { globalIds } from './025-global-ids.ts';
import { tenantStorage } from './026-tenant-storage.ts';
import type { Migration } from './migration.ts';

export type { Migration } from './migration.ts';

/** Every step of the schema, oldest first. A static list, so that the bundled program has them too. */
export const migrations: readonly Migration[] = [
  access,
  resources,
  deployments,
  topology,
  engine,
  events,
  administration,
  audit,
  leanReferences,
  queueChannel,
  updateProgress,
  control,
  auditAddress,
  outboxVhost,
  secretSettings,
  tenants,
  live,
  restores,
  queuedRequests,
  accessVersion,
  doneRequests,
  instanceCounts,
  usedLogins,
  globalIds,
  tenantStorage,
];
