/** A user as an LDAP directory or an identity provider knows it. */
export interface ExternalUser {
  readonly username: string;
  readonly email: string | undefined;
  readonly firstName: string | undefined;
  readonly lastName: string | undefined;
  /** Names of the groups it is in; those of a directory are distinguished names. */
  readonly groups: readonly string[];
}
