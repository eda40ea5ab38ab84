import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/config/package-root.ts';
import { NginxServer } from './nginx.ts';
import type { ManagerCluster } from './manager.ts';

/** A private nginx with the product's own configuration in front of a cluster's REST service. */
export async function startNginxFor(port: number, cluster: ManagerCluster): Promise<NginxServer> {
  const template = await readFile(join(packageRoot(), 'nginx.conf'), 'utf8');
  return NginxServer.start(port, (directory) => {
    const values: Record<string, string> = {
      LISTEN: `127.0.0.1:${port}`,
      UPSTREAM: new URL(cluster.url).host,
      FILES: join(cluster.folder, 'files'),
      TEMP: `${directory}/temp`,
      TLS: '# no TLS',
      LOG: 'off',
    };
    const rendered = template.replaceAll(/\$\{GANTRY_NGINX_(\w+)\}/g, (_match, name: string) => values[name] ?? '');
    // nginx started by root serves as nobody, who may not enter the folders of these tests
    return process.getuid?.() === 0 ? `user root;\n${rendered}` : rendered;
  });
}
