// An application server: GET / counts a visit in the database and answers {"server": NAME, "visits": COUNT}.
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const { DATABASE_URL: database, FOLDER: folder, HOST_IP: host, NAME: name, PORT: port } = process.env;

async function visit() {
  const response = await fetch(`${database}visits`, { method: 'POST', headers: { 'x-account': name } });
  if (!response.ok) {
    throw new Error(`the database answered ${response.status}`);
  }
  return response.json();
}

const server = createServer((request, response) => {
  visit().then(
    (visits) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ server: name, visits })),
    (error) => response.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message}\n`),
  );
});

server.listen(Number(port), host, () => {
  const file = join(folder, 'address');
  writeFileSync(`${file}.new`, `http://${host}:${server.address().port}/\n`);
  renameSync(`${file}.new`, file);
});
