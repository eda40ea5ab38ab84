import { Readable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Json } from '../../../src/domain/plan.ts';
import { environmentText } from '../../../src/runtime/script/environment.ts';
import { OutputLines, OutputPump } from '../../../src/runtime/script/output.ts';
import { processOptions } from '../../../src/runtime/script/process-options.ts';
import { dedent, looksLikePython } from '../../../src/runtime/script/source.ts';
import { SecretFilter } from '../../../src/runtime/session/secret-filter.ts';

describe('Inline scripts', () => {
  const texts: [string, boolean][] = [
    ['ls', false],
    ['echo hello', false],
    ['#!/bin/sh\nimport x', false],
    ['#!/usr/bin/env python3\nls', true],
    ['from cloudify import ctx\nctx.returns(1)', true],
    ['import os, sys', true],
    ['import a.b as c  # why', true],
    ['print("x")', true],
    ['def f(x):\n    return x', true],
    ['class A(B):', true],
    ['if true; then\n  echo import something\nfi', false],
    ['function def() { :; }', false],
    ['cat <<END\nfrom here import\nEND', false],
    ['important stuff', false],
    ['python3 - <<END\nimport os\nEND', false],
    ['# a comment\n\n"""documentation\nof two lines"""\nimport os', true],
    ['port = 8080\nprint(port)', true],
    ['port=8080\necho', false],
    ['if x:\n  pass', true],
    ['for i in 1 2; do :; done', false],
  ];
  for (const [text, expected] of texts) {
    it(`${expected ? 'are' : 'are not'} Python: ${JSON.stringify(text)}`, () => {
      expect(looksLikePython(text)).to.equal(expected);
    });
  }

  it('lose the indent that all lines share', () => {
    expect(dedent('\n    a\n      b\n\n    c\n  ')).to.equal('\na\n  b\n\nc\n');
    expect(dedent('a\n  b')).to.equal('a\n  b');
    expect(dedent('\ta\n  b')).to.equal('\ta\n  b');
  });
});

describe('Values in the environment', () => {
  const values: [Json, string][] = [
    ['text', 'text'],
    ['', ''],
    [7, '7'],
    [0.25, '0.25'],
    [true, 'true'],
    [false, 'false'],
    [null, 'None'],
    [[], '[]'],
    [{}, '{}'],
    [{ a: [1, { b: null }], 'ü"': '\u2028' }, '{"a": [1, {"b": null}], "\\u00fc\\"": "\\u2028"}'],
  ];
  for (const [value, expected] of values) {
    it(`are ${expected || 'empty'} for ${JSON.stringify(value)}`, () => {
      expect(environmentText(value)).to.equal(expected);
    });
  }

  it('are JSON for containers', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as Json;
        expect(JSON.parse(environmentText(plain))).to.deep.equal(plain);
      }),
    );
  });
});

describe('Process options', () => {
  it('have the defaults of the script plugin', () => {
    expect(processOptions(undefined)).to.deep.equal({
      env: {},
      cwd: undefined,
      args: [],
      commandPrefix: undefined,
      isEvaluated: undefined,
      hasCtx: true,
      isOutputLogged: true,
      isErrorLogged: true,
      isErrorJoined: false,
    });
  });

  it('take flags as text, and arguments of any kind', () => {
    const options = processOptions({
      eval_python: 'True',
      log_stdout: 'false',
      args: ['a', 1, true],
      ctx_proxy_type: 'none',
    });
    expect(options).to.include({ isEvaluated: true, isOutputLogged: false, hasCtx: false });
    expect(options.args).to.deep.equal(['a', '1', 'True']);
  });

  for (const [value, message] of [
    ['text', "The input 'process' must be a mapping"],
    [{ env: [] }, "'process.env' must be a mapping"],
    [{ cwd: 5 }, "'process.cwd' must be text"],
    [{ log_stderr: 'maybe' }, "'process.log_stderr' must be true or false"],
  ] as [Json, string][]) {
    it(`are refused: ${JSON.stringify(value)}`, () => {
      expect(() => processOptions(value)).to.throw(message);
    });
  }
});

describe('Output', () => {
  /** The lines of chunks. */
  function linesOf(chunks: readonly Uint8Array[], secrets = new SecretFilter()): string[] {
    const output = new OutputLines(secrets);
    return [...chunks.flatMap((chunk) => output.push(chunk)), ...output.end()];
  }

  it('has the same lines however it arrives in pieces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(40)), (text, cuts) => {
        const bytes = Buffer.from(text.replaceAll('\0', '').replaceAll('\r', '').toWellFormed());
        const chunks: Buffer[] = [];
        let rest = bytes;
        for (const cut of cuts) {
          chunks.push(rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        expect(linesOf([...chunks, rest])).to.deep.equal(linesOf([bytes]));
      }),
    );
  });

  it('masks secrets that arrive in pieces, also across the cuts of endless lines', () => {
    const secrets = new SecretFilter();
    secrets.add(['the-secret-value']);
    const text = `${'x'.repeat(32 * 1024 - 5)}the-secret-value${'y'.repeat(70_000)}the-secret-value`;
    const chunks = text.match(/.{1,1000}/gs)?.map((part) => Buffer.from(part)) ?? [];
    const joined = linesOf(chunks, secrets).join('');
    expect(joined).to.not.include('secret').and.to.not.include('the-');
    expect(joined.match(/\*\*\*/g)).to.have.length(2);
    expect(joined.match(/y/g)).to.have.length(70_000);
  });

  it('keeps its end for the error message', () => {
    const output = new OutputLines(new SecretFilter());
    output.push(Buffer.from('start\n'));
    output.push(Buffer.from('z'.repeat(100_000)));
    expect(output.tail).to.have.length(8 * 1024);
  });

  it('is pumped until the stream ends or is destroyed', async () => {
    const seen: string[] = [];
    const pump = new OutputPump(Readable.from([Buffer.from('a\nb')]), new OutputLines(new SecretFilter()), (line) => {
      seen.push(line);
    });
    await pump.done;
    expect(seen).to.deep.equal(['a', 'b']);
    const endless = new Readable({ read: () => undefined });
    endless.push('half');
    const other = new OutputPump(endless, new OutputLines(new SecretFilter()), (line) => {
      seen.push(line);
      return undefined;
    });
    endless.destroy();
    await other.done;
    expect(other.progress).to.be.a('number');
  });
});
