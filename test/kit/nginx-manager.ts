import { join } from 'node:path';
import { NginxServer, renderProductNginx } from './nginx.ts';
import type { ManagerCluster } from './manager.ts';

/**
 * A private nginx with the product's own configuration in front of a cluster's REST service.
 * @param others ports of further REST processes
 */
export async function startNginxFor(
  port: number,
  cluster: ManagerCluster,
  others: readonly number[] = [],
): Promise<NginxServer> {
  const upstreams = [new URL(cluster.url).host, ...others.map((other) => `127.0.0.1:${other}`)];
  return NginxServer.start(port, (directory) =>
    renderProductNginx(directory, {
      listen: `127.0.0.1:${port}`,
      upstream: upstreams.join(' max_fails=1 fail_timeout=1s;\n    server '),
      files: join(cluster.folder, 'files'),
    }),
  );
}
