import { join } from 'node:path';
import { NginxServer, renderProductNginx } from './nginx.ts';
import type { ManagerCluster } from './manager.ts';

/** A private nginx with the product's own configuration in front of a cluster's REST service. */
export async function startNginxFor(port: number, cluster: ManagerCluster): Promise<NginxServer> {
  return NginxServer.start(port, (directory) =>
    renderProductNginx(directory, {
      listen: `127.0.0.1:${port}`,
      upstream: new URL(cluster.url).host,
      files: join(cluster.folder, 'files'),
    }),
  );
}
