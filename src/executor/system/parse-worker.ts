/**
 * The thread that parses blueprints. Whatever it does to memory and time ends with the thread; files, network and store
 * it reaches by asking the thread that started it.
 */
import { parentPort } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import { describeError } from '../../dsl/report/problem.ts';
import { parseBlueprint } from '../../dsl/parse.ts';
import type { ImportResolver } from '../../dsl/parse.ts';
import type { SourceDocument } from '../../dsl/yaml/load.ts';
import { nameWithin } from '../../files/file-names.ts';
import type { ParseRequest, ParserAnswer, ParserRequest, PlainError, ResolverMethod } from './parse-protocol.ts';
import { fromPlainError, toPlainError } from './plain-error.ts';

const keptDocuments = 50;
const cache = new LRUCache<string, SourceDocument>({ max: keptDocuments });
const calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
let lastCall = 0;

function send(answer: ParserAnswer): void {
  parentPort?.postMessage(answer);
}

function ask<Value>(method: ResolverMethod, argument: string): Promise<Value> {
  lastCall += 1;
  const call = lastCall;
  return new Promise((resolve, reject) => {
    calls.set(call, { resolve: resolve as (value: unknown) => void, reject });
    send({ kind: 'ask', call, method, argument });
  });
}

const resolver: ImportResolver = {
  fetch: (location) => ask('fetch', location),
  locateFile: (path) => ask('locateFile', path),
  resourceExists: (url) => ask('resourceExists', url),
};

function settle(call: number, value: unknown, error: PlainError | undefined): void {
  const waiting = calls.get(call);
  calls.delete(call);
  if (error) {
    waiting?.reject(fromPlainError(error));
  } else {
    waiting?.resolve(value);
  }
}

function parse({ text, location, directory }: ParseRequest): void {
  const nameFile = directory === undefined ? undefined : (file: string) => nameWithin(directory, file);
  parseBlueprint({ text, location, resolver, cache }).then(
    (plan) => send({ kind: 'plan', plan }),
    (error: unknown) =>
      send({ kind: 'failure', error: toPlainError(error, (each) => describeError(each, location, nameFile)) }),
  );
}

parentPort?.on('message', (request: ParserRequest) => {
  switch (request.kind) {
    case 'parse':
      parse(request.options);
      return;
    case 'answer':
      settle(request.call, request.value, undefined);
      return;
    case 'refusal':
      settle(request.call, undefined, request.error);
      return;
  }
});
