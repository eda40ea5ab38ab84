import matrix from '../../resources/permissions.json' with { type: 'json' };

/** Every permission name of the matrix, e.g. `blueprint_upload`. */
export type Permission = keyof typeof matrix.permissions;

export interface Role {
  name: string;
  type: 'system_role' | 'tenant_role';
  description: string;
}

export const roles: readonly Role[] = matrix.roles as readonly Role[];

/** permission -> names of the roles that hold it; what is missing nobody may do. */
export type PermissionMatrix = Readonly<Record<string, readonly string[]>>;

/** The matrix a new manager starts with. */
export const permissions: Readonly<Record<Permission, readonly string[]>> = matrix.permissions;

/** Whether one of `held` role names grants `permission`. */
export function isPermitted(permission: Permission, held: Iterable<string>, matrix: PermissionMatrix): boolean {
  const granted = matrix[permission] ?? [];
  for (const role of held) {
    if (granted.includes(role)) {
      return true;
    }
  }
  return false;
}
