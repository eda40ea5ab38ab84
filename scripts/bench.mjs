#!/usr/bin/env node
/** `npm run bench -- NAME [--json] [--instances N,...] [--seconds N]`: measures a scenario; see test/bench/main.ts. */
import { runTypeScript } from './lib/typescript.mjs';

await runTypeScript('test/bench/main.ts', ['rabbitmq', 'nginx']);
