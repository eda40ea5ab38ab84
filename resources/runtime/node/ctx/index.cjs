'use strict';

/**
 * The context of an operation for scripts written for Node:
 *
 *   const ctx = require('ctx');
 *
 * (in an ES module: `const ctx = createRequire(import.meta.url)('ctx')`, with createRequire of `node:module`)
 *
 *   const port = await ctx('node', 'properties', 'port');
 *   await ctx.instance.runtimeProperties.set('address.port', 8080);
 *   ctx.logger.info('started');
 *   await ctx.returns({ port });
 *
 * Every call is the `ctx` command with the same arguments, as a promise of its result.
 */
const http = require('node:http');

// the agent lets the script end while a connection is idle
const agent = new http.Agent({ keepAlive: true });

/** An error the other side answered with; `type` is its class name. */
class CtxError extends Error {
  constructor(message, type) {
    super(message);
    this.name = 'CtxError';
    this.type = type;
  }
}

function post(path, value) {
  const base = process.env.CTX_SOCKET_URL;
  if (!base) {
    return Promise.reject(new CtxError('CTX_SOCKET_URL is not set: ctx works only in the scripts of an operation'));
  }
  const body = Buffer.from(JSON.stringify(value));
  return new Promise((resolve, reject) => {
    const request = http.request(
      base + path,
      { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': body.length } },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) {
            reject(new CtxError(`The call was refused with status ${response.statusCode}: has the operation ended?`));
          } else {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
          }
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function ctx(...args) {
  const answer = await post('', { args, cwd: process.cwd() });
  if (answer.type === 'error') {
    throw new CtxError(answer.payload.message, answer.payload.type);
  }
  if (answer.type === 'stop_operation') {
    process.stderr.write(`${answer.payload.message}\n`);
    process.exit(1);
  }
  return answer.payload;
}

function endpoint(prefix) {
  const call = (...args) => ctx(...prefix, ...args);
  return {
    node: {
      id: () => call('node', 'id'),
      type: () => call('node', 'type'),
      properties: (path) => (path === undefined ? call('node', 'properties') : call('node', 'properties', path)),
    },
    instance: {
      id: () => call('instance', 'id'),
      hostIp: () => call('instance', 'host-ip'),
      update: () => call('instance', 'update'),
      refresh: (force = false) => call('instance', 'refresh', force),
      runtimeProperties: {
        all: () => call('instance', 'runtime-properties'),
        get: (path) => call('instance', 'runtime-properties', path),
        set: (path, value) => call('instance', 'runtime-properties', path, value),
        delete: (path) => call('instance', 'runtime-properties', 'delete', path),
      },
    },
  };
}

const log = (level) => (message) => ctx('logger', level, String(message));

Object.assign(ctx, endpoint([]), {
  CtxError,
  default: ctx,
  source: endpoint(['source']),
  target: endpoint(['target']),
  inputs: () => post('/inputs', null),
  logger: { debug: log('debug'), info: log('info'), warning: log('warning'), error: log('error') },
  downloadResource: (path, target) => ctx('download-resource', path, ...(target === undefined ? [] : [target])),
  downloadResourceAndRender: (path, target, variables = {}) =>
    ctx('download-resource-and-render', path, target ?? null, { template_variables: variables }),
  getResource: (path) => ctx('get-resource', path),
  getSecret: (key) => ctx('get-secret', key),
  sendEvent: (message) => ctx('send-event', message),
  returns: (value) => ctx('returns', value, {}),
  abortOperation: (message) => ctx('abort-operation', message),
  retryOperation: (message, retryAfter) =>
    ctx('retry-operation', message, ...(retryAfter === undefined ? [] : [retryAfter])),
});

module.exports = ctx;
