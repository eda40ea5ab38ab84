// The web server: sends visitors to the application servers in turn.
//   GET /    GET /servers    PUT /servers/NAME (body: address)    DELETE /servers/NAME
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const { FOLDER: folder, HOST_IP: host, PORT: port, TITLE: title } = process.env;
const servers = new Map();
let turn = 0;

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text) => String(text).replace(/[&<>"]/g, (character) => entities[character]);

async function page() {
  const addresses = [...servers.values()];
  if (addresses.length === 0) {
    return [503, '<p>There is no application server yet.</p>'];
  }
  turn += 1;
  const response = await fetch(addresses[turn % addresses.length]);
  const { server, visits } = await response.json();
  return [200, `<p>You are visitor number <b>${escape(visits)}</b>, served by <code>${escape(server)}</code>.</p>`];
}

async function readText(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
  }
  return text;
}

async function handle(request, response) {
  const [, collection, name] = request.url.split('/');
  if (collection === 'servers') {
    if (request.method === 'PUT') {
      servers.set(name, (await readText(request)).trim());
    } else if (request.method === 'DELETE') {
      servers.delete(name);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify([...servers.keys()]));
    return;
  }
  const [status, content] = await page();
  response
    .writeHead(status, { 'content-type': 'text/html; charset=utf-8' })
    .end(`<!doctype html><title>${escape(title)}</title><h1>${escape(title)}</h1>${content}\n`);
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    response.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
  });
});

server.listen(Number(port), host, () => {
  const file = join(folder, 'address');
  writeFileSync(`${file}.new`, `http://${host}:${server.address().port}/\n`);
  renameSync(`${file}.new`, file);
});
