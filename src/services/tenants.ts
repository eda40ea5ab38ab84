import type { Tenant } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { tenantBrokerUser, tenantVhost } from '../amqp/names.ts';
import type { TenantAccount, TenantBrokerAccounts } from '../amqp/tenant-accounts.ts';
import type { FileStore } from '../files/file-store.ts';
import { randomPassword } from '../security/random.ts';
import type { SecretBox } from '../security/secret-box.ts';
import type { Database } from '../store/database.ts';
import { forgetLeftovers, lockBrokerAccounts, noteLeftovers } from '../store/broker-accounts.ts';
import type { BrokerLeftover } from '../store/broker-accounts.ts';
import { addGrant, changeGrant, loadTenantMembers, removeGrant } from '../store/grants.ts';
import type { TenantMember } from '../store/grants.ts';
import {
  createTenant,
  deleteTenant,
  findTenantContents,
  getTenant,
  loadTenants,
  lockTenant,
  readTenantBrokerPassword,
} from '../store/tenants.ts';
import { getUserGroup } from '../store/user-groups.ts';
import { getAccount } from '../store/users.ts';
import { holdsIn, notPermitted } from './caller.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { IdentityProviderService } from './identity-providers.ts';
import { checkIdentifier } from './identifiers.ts';

/** A tenant with who has roles in it. */
export interface TenantDetails extends Tenant {
  readonly members: readonly TenantMember[];
}

export type Holder = { readonly user: string } | { readonly group: string };

export interface TenantService {
  /** Those the caller belongs to; all of them for administrators. */
  list(caller: Caller): Promise<TenantDetails[]>;
  /** @throws GantryError not_found_error, forbidden_error */
  get(caller: Caller, name: string): Promise<TenantDetails>;
  /** Password of the tenant's account on the broker. */
  brokerPassword(tenant: Tenant): Promise<string | undefined>;
  /** All or nothing. @throws GantryError conflict_error, bad_parameters_error */
  create(caller: Caller, name: string, brokerPassword: string | undefined): Promise<TenantDetails>;
  /** @throws GantryError illegal_action_error while it has resources */
  remove(caller: Caller, name: string): Promise<void>;
  /** @throws GantryError conflict_error when the holder has a role there */
  grant(caller: Caller, tenantName: string, holder: Holder, role: string): Promise<TenantDetails>;
  /** @throws GantryError not_found_error when the holder has none */
  changeGrant(caller: Caller, tenantName: string, holder: Holder, role: string): Promise<TenantDetails>;
  revoke(caller: Caller, tenantName: string, holder: Holder): Promise<void>;
}

export interface TenantServiceDependencies {
  readonly database: Database;
  readonly secrets: SecretBox;
  /** Undefined = the broker knows no tenants (in-process). */
  readonly broker: TenantBrokerAccounts | undefined;
  readonly external: Pick<IdentityProviderService, 'refuseWhenEnabled'>;
  readonly files: FileStore;
}

/** Names that are paths of their own below `/tenants`. */
const reservedNames = new Set(['users', 'user-groups']);
const defaultTenant = 'default_tenant';
/** Seconds after which vhost and user of a tenant that was not stored may be removed from the broker. */
const longestCreation = 120;

function leftoversOf({ vhost, username }: TenantAccount): BrokerLeftover[] {
  return [
    { kind: 'vhost', name: vhost },
    { kind: 'user', name: username },
  ];
}

/** Makes the use cases of tenants. */
export function createTenantService({
  database,
  secrets,
  broker,
  external,
  files,
}: TenantServiceDependencies): TenantService {
  const withMembers = async (tenants: readonly Tenant[]): Promise<TenantDetails[]> => {
    const members = await loadTenantMembers(
      database,
      tenants.map(({ id }) => id),
    );
    return tenants.map((tenant) => ({ ...tenant, members: members.get(tenant.id) ?? [] }));
  };
  const details = async (name: string): Promise<TenantDetails> => {
    const tenant = await getTenant(database, name);
    const [found] = await withMembers([tenant]);
    return found ?? { ...tenant, members: [] };
  };
  const isAdministrator = (caller: Caller): boolean => holdsIn(caller, 'all_tenants', undefined);
  const grantOf = async (
    tenantName: string,
    holder: Holder,
  ): Promise<{ tenantId: number; holder: { kind: 'user' | 'group'; id: number; name: string } }> => {
    const tenant = await getTenant(database, tenantName);
    if ('user' in holder) {
      const { user } = await getAccount(database, holder.user);
      return { tenantId: tenant.id, holder: { kind: 'user', id: user.id, name: user.username } };
    }
    const { id, name } = await getUserGroup(database, holder.group);
    return { tenantId: tenant.id, holder: { kind: 'group', id, name } };
  };
  const requireKeptHere = async (holder: Holder, action: string): Promise<void> => {
    if ('user' in holder) {
      await external.refuseWhenEnabled(action);
    }
  };
  /** If anything fails meanwhile, including this process, the scheduler removes what belongs to no tenant. */
  const whileLeftoversAreNoted = async (account: TenantAccount, work: () => Promise<void>): Promise<void> => {
    if (!broker) {
      await work();
      return;
    }
    await noteLeftovers(database, leftoversOf(account), longestCreation);
    try {
      await work();
    } catch (error) {
      await noteLeftovers(database, leftoversOf(account), 0);
      throw error;
    }
  };
  return {
    async list(caller) {
      const all = [...(await loadTenants(database)).values()];
      return withMembers(isAdministrator(caller) ? all : all.filter(({ name }) => caller.user.tenantRoles.has(name)));
    },

    async get(caller, name) {
      const tenant = await details(name);
      const isAllowed = holdsIn(caller, 'tenant_get', tenant.name);
      const isOwnExecution = caller.execution?.tenantId === tenant.id;
      if (!isAllowed && !isOwnExecution) {
        throw notPermitted({ ...caller, tenant }, 'tenant_get');
      }
      return tenant;
    },

    async brokerPassword(tenant) {
      const stored = await readTenantBrokerPassword(database, tenant.id);
      return stored === undefined ? undefined : secrets.decrypt(stored);
    },

    async create(caller, name, givenPassword) {
      checkIdentifier('tenant_name', name);
      if (reservedNames.has(name)) {
        throw new GantryError('bad_parameters_error', `\`${name}\` is not allowed as the name of a tenant`);
      }
      const account = {
        username: tenantBrokerUser(name),
        vhost: tenantVhost(name),
        password: givenPassword ?? randomPassword(),
      };
      await whileLeftoversAreNoted(account, () =>
        database.transactionAs(actorOf(caller), async (transaction) => {
          await lockBrokerAccounts(transaction);
          await createTenant(transaction, name, {
            rabbitmqUsername: account.username,
            rabbitmqVhost: account.vhost,
            rabbitmqPassword: secrets.encrypt(account.password),
          });
          await broker?.ensure(account);
          await forgetLeftovers(transaction, leftoversOf(account));
        }),
      );
      return details(name);
    },

    async remove(caller, name) {
      if (name === defaultTenant) {
        throw new GantryError('illegal_action_error', `The tenant \`${name}\` cannot be deleted`);
      }
      // the scheduler removes vhost and user from the broker, which a trigger notes
      await database.transactionAs(actorOf(caller), async (transaction) => {
        const found = await lockTenant(transaction, name);
        const contents = await findTenantContents(transaction, found.id);
        if (contents.length > 0) {
          throw new GantryError(
            'illegal_action_error',
            `Can't delete tenant \`${name}\`: it still has ${contents.join(', ')}. Delete them first`,
          );
        }
        await deleteTenant(transaction, found.id);
        // while the name is taken still: they must not be those of the next tenant
        await files.removeTenant(name);
      });
    },

    async grant(caller, tenantName, holder, role) {
      await requireKeptHere(holder, 'add user to tenant');
      const grant = await grantOf(tenantName, holder);
      await database.transactionAs(actorOf(caller), (transaction) => addGrant(transaction, { ...grant, role }));
      return details(tenantName);
    },

    async changeGrant(caller, tenantName, holder, role) {
      await requireKeptHere(holder, 'update user in tenant');
      const grant = await grantOf(tenantName, holder);
      await database.transactionAs(actorOf(caller), (transaction) => changeGrant(transaction, { ...grant, role }));
      return details(tenantName);
    },

    async revoke(caller, tenantName, holder) {
      await requireKeptHere(holder, 'remove user from tenant');
      const grant = await grantOf(tenantName, holder);
      await database.transactionAs(actorOf(caller), (transaction) => removeGrant(transaction, grant));
    },
  };
}
