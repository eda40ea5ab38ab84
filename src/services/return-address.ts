const loopbackHosts = new Set(['127.0.0.1', '[::1]']);

/**
 * Where a browser may be led after a login: to a path of this manager, or to a port of the machine it runs on, where a
 * command line waits for it (RFC 8252). Nobody can have it led anywhere else.
 * @param publicUrl origin of this manager
 * @returns undefined when it may not
 */
export function returnAddress(text: string, publicUrl: string): URL | undefined {
  // browsers take a backslash for a slash, and leave out line ends and tabs
  if (!/^[\x21-\x7e]{1,2000}$/.test(text) || text.includes('\\')) {
    return undefined;
  }
  if (text.startsWith('/')) {
    const url = URL.canParse(text, publicUrl) ? new URL(text, publicUrl) : undefined;
    return url?.origin === publicUrl && !text.startsWith('//') ? url : undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback =
    url?.protocol === 'http:' &&
    loopbackHosts.has(url.hostname) &&
    url.port !== '' &&
    url.username === '' &&
    url.password === '';
  return isLoopback ? url : undefined;
}
