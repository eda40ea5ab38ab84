import { eachItem, fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { Page, SecretShape, TenantShape, TokenShape, UserShape } from '../types.ts';

/** Calls on `/tokens`. */
export class TokensApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<TokenShape>> {
    return fetchPage(this.transport, '/tokens', options);
  }

  /** Makes a token; its `value` is readable in this answer only. `expiration` like `+10h` or `2030-01-31 12:00`. */
  create(options: { description?: string; expiration?: string } = {}): Promise<TokenShape> {
    return this.transport.json('POST', '/tokens', {
      body: {
        ...(options.description === undefined ? {} : { description: options.description }),
        ...(options.expiration === undefined ? {} : { expiration_date: options.expiration }),
      },
    });
  }

  delete(id: string): Promise<void> {
    return this.transport.json('DELETE', `/tokens/${encodeURIComponent(id)}`);
  }
}

/** What a tenant may use at most; null = no limit. */
export interface TenantLimits {
  deployments: number | null;
  executions: number | null;
  storage_bytes: number | null;
}

export interface TenantQuotaShape {
  tenant_name: string;
  limits: TenantLimits;
  used: { deployments: number; executions: number; storage_bytes: number };
}

/** Calls on `/tenants`. */
export class TenantsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<TenantShape>> {
    return fetchPage(this.transport, '/tenants', options);
  }

  each(options: ListOptions = {}): AsyncGenerator<TenantShape, void, undefined> {
    return eachItem(this.transport, '/tenants', options);
  }

  get(name: string): Promise<TenantShape> {
    return this.transport.json('GET', `/tenants/${encodeURIComponent(name)}`);
  }

  quota(name: string): Promise<TenantQuotaShape> {
    return this.transport.json('GET', `/tenants/${encodeURIComponent(name)}/quotas`);
  }

  setQuota(name: string, limits: Partial<TenantLimits>): Promise<TenantQuotaShape> {
    return this.transport.json('PUT', `/tenants/${encodeURIComponent(name)}/quotas`, { body: limits });
  }

  create(name: string): Promise<TenantShape> {
    return this.transport.json('POST', `/tenants/${encodeURIComponent(name)}`, { whenDone: () => this.get(name) });
  }

  delete(name: string): Promise<void> {
    return this.transport.json('DELETE', `/tenants/${encodeURIComponent(name)}`);
  }

  addUser(tenant: string, username: string, role: string): Promise<TenantShape> {
    return this.transport.json('PUT', '/tenants/users', { body: { tenant_name: tenant, username, role } });
  }

  removeUser(tenant: string, username: string): Promise<void> {
    return this.transport.json('DELETE', '/tenants/users', { body: { tenant_name: tenant, username } });
  }
}

/** Calls on `/users`. */
export class UsersApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<UserShape>> {
    return fetchPage(this.transport, '/users', options);
  }

  get(username: string): Promise<UserShape> {
    return this.transport.json('GET', `/users/${encodeURIComponent(username)}`);
  }

  /** The user of these credentials. */
  self(): Promise<UserShape> {
    return this.transport.json('GET', '/user');
  }

  create(username: string, password: string, role = 'default'): Promise<UserShape> {
    const body = { username, password, role };
    return this.transport.json('PUT', '/users', { body, whenDone: () => this.get(username) });
  }

  setPassword(username: string, password: string): Promise<UserShape> {
    return this.transport.json('POST', `/users/${encodeURIComponent(username)}`, { body: { password } });
  }

  setRole(username: string, role: string): Promise<UserShape> {
    return this.transport.json('POST', `/users/${encodeURIComponent(username)}`, { body: { role } });
  }

  setActive(username: string, isActive: boolean): Promise<UserShape> {
    return this.transport.json('POST', `/users/active/${encodeURIComponent(username)}`, {
      body: { action: isActive ? 'activate' : 'deactivate' },
    });
  }

  unlock(username: string): Promise<UserShape> {
    return this.transport.json('POST', `/users/unlock/${encodeURIComponent(username)}`);
  }

  delete(username: string): Promise<void> {
    return this.transport.json('DELETE', `/users/${encodeURIComponent(username)}`);
  }
}

/** Calls on `/secrets`. */
export class SecretsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<SecretShape>> {
    return fetchPage(this.transport, '/secrets', options);
  }

  get(key: string): Promise<SecretShape> {
    return this.transport.json('GET', `/secrets/${encodeURIComponent(key)}`);
  }

  create(
    key: string,
    value: unknown,
    options: { updateIfExists?: boolean; isHidden?: boolean; visibility?: string } = {},
  ): Promise<SecretShape> {
    return this.transport.json('PUT', `/secrets/${encodeURIComponent(key)}`, {
      body: {
        value,
        update_if_exists: options.updateIfExists === true,
        is_hidden_value: options.isHidden === true,
        visibility: options.visibility ?? 'tenant',
      },
    });
  }

  update(key: string, value: unknown): Promise<SecretShape> {
    return this.transport.json('PATCH', `/secrets/${encodeURIComponent(key)}`, { body: { value } });
  }

  delete(key: string): Promise<void> {
    return this.transport.json('DELETE', `/secrets/${encodeURIComponent(key)}`);
  }
}
