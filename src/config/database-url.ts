const severalHosts = /^(?<head>postgres(?:ql)?:\/\/(?:[^/?#@]*@)?)(?<hosts>[^/?#]*)(?<tail>.*)$/s;

/**
 * The servers that a database URL names, in its order: `postgres://user:password@one:5432,two:5432/gantry` stands for a
 * primary and its standbys, as it does for libpq.
 * @returns a URL for each of them; the one given where it names no more than one
 */
export function databaseServers(url: string): readonly string[] {
  const { head = '', hosts = '', tail = '' } = severalHosts.exec(url)?.groups ?? {};
  return hosts.includes(',') ? hosts.split(',').map((host) => `${head}${host}${tail}`) : [url];
}
