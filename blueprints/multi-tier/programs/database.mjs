// The database: counts visits for clients that have an account, and keeps the count in a file.
//   PUT|DELETE /accounts/NAME    GET /accounts    POST /visits (header x-account) -> the new count
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const { FOLDER: folder, HOST_IP: host, PORT: port } = process.env;
const file = join(folder, 'data.json');
const data = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { visits: 0, accounts: [] };

function write(path, text) {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function answer(request) {
  const [, collection, name] = request.url.split('/');
  if (collection === 'accounts' && request.method === 'GET') {
    return [200, data.accounts];
  }
  if (collection === 'accounts' && name) {
    const others = data.accounts.filter((account) => account !== name);
    data.accounts = request.method === 'PUT' ? [...others, name] : others;
    write(file, JSON.stringify(data));
    return [200, data.accounts];
  }
  if (collection === 'visits' && request.method === 'POST') {
    if (!data.accounts.includes(request.headers['x-account'])) {
      return [403, 'no account'];
    }
    data.visits += 1;
    write(file, JSON.stringify(data));
    return [200, data.visits];
  }
  return [404, 'not found'];
}

const server = createServer((request, response) => {
  const [status, body] = answer(request);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

server.listen(Number(port), host, () => {
  write(join(folder, 'address'), `http://${host}:${server.address().port}/\n`);
});
