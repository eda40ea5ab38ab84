// A web server for one folder: node server.mjs FOLDER PORT. Writes its address into FOLDER/address when it answers.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [folder, port] = process.argv.slice(2);
const page = readFileSync(join(folder, 'index.html'));

const server = createServer((request, response) => {
  if (request.url !== '/') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('There is only one page here: /\n');
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
});

server.listen(Number(port), '127.0.0.1', () => {
  const file = join(folder, 'address');
  writeFileSync(`${file}.new`, `http://127.0.0.1:${server.address().port}/\n`);
  renameSync(`${file}.new`, file);
});
