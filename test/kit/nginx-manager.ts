import { NginxServer } from './nginx.ts';
import type { ManagerCluster } from './manager.ts';
import { join } from 'node:path';

/** A private nginx in front of a cluster's REST service, with the rules that the product's own configuration has. */
export async function startNginxFor(port: number, cluster: ManagerCluster): Promise<NginxServer> {
  const upstream = new URL(cluster.url).host;
  const files = join(cluster.folder, 'files');
  return NginxServer.start(
    port,
    (directory) => `
worker_processes 1;
pid ${directory}/nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path ${directory}/temp/body;
  proxy_temp_path ${directory}/temp/proxy;
  fastcgi_temp_path ${directory}/temp/fastcgi;
  uwsgi_temp_path ${directory}/temp/uwsgi;
  scgi_temp_path ${directory}/temp/scgi;
  upstream rest { server ${upstream}; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_read_timeout 330s;
    location / { proxy_pass http://rest; }
    location /resources-local/ { internal; alias ${files}/; }
  }
}
`,
  );
}
