import { hostname, networkInterfaces } from 'node:os';
import type { Config } from './config.ts';

const loopback = '127.0.0.1';
const everywhere = ['0.0.0.0', '::'];

/** The first IPv4 address of this machine that others can reach. */
function outerAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

/** How this machine is reached: `private` from its network, `public` by clients. */
export function machineAddresses({ http, roles }: Pick<Config, 'http' | 'roles'>): { private: string; public: string } {
  const listensInside = roles.includes('rest') && !everywhere.includes(http.host);
  const own = listensInside ? http.host : (outerAddress() ?? loopback);
  const isPublic = http.publicUrl !== undefined && URL.canParse(http.publicUrl);
  return { private: own, public: isPublic ? new URL(http.publicUrl ?? '').hostname : own };
}

/** How operations and agents reach the REST service when no setting says otherwise. */
export function restAddress({ http }: Pick<Config, 'http'>): { hosts: string[]; port: number } {
  if (http.publicUrl !== undefined && URL.canParse(http.publicUrl)) {
    const url = new URL(http.publicUrl);
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
    return { hosts: [url.hostname], port };
  }
  return { hosts: [everywhere.includes(http.host) ? hostname() : http.host], port: http.port };
}
