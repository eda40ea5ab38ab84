import { createInterface } from 'node:readline';
import { DslError } from '../../src/dsl/errors.ts';
import { evaluateVector } from './vectors/evaluate.ts';
import type { EvaluateInput } from './vectors/evaluate.ts';
import { modifyVector } from './vectors/modify.ts';
import type { ModifyInput } from './vectors/modify.ts';
import { parseVector } from './vectors/parse.ts';
import type { ParseInput } from './vectors/parse.ts';
import { prepareVector } from './vectors/prepare.ts';
import type { PrepareInput } from './vectors/prepare.ts';

interface Vector {
  id: string;
  kind: 'parse' | 'prepare' | 'evaluate' | 'modify';
  input: unknown;
}

async function answer({ id, kind, input }: Vector): Promise<object> {
  try {
    switch (kind) {
      case 'parse':
        return { id, plan: await parseVector(input as ParseInput) };
      case 'evaluate':
        return { id, value: await evaluateVector(input as EvaluateInput) };
      case 'prepare': {
        const { parse, ...prepare } = input as PrepareInput & { parse: ParseInput };
        return { id, plan: await prepareVector(await parseVector(parse), prepare) };
      }
      case 'modify':
        return { id, value: modifyVector(input as ModifyInput) };
    }
  } catch (error) {
    if (error instanceof DslError) {
      return { id, error: { class: error.className, code: error.code ?? null, message: error.message } };
    }
    const { name, message, stack } = error as Error;
    return { id, error: { class: name, code: null, message, stack } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== '') {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Vector))}\n`);
  }
}
