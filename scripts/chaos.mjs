#!/usr/bin/env node
/** `npm run chaos -- --kills N --seed S`: kills processes while executions run; see test/chaos/main.ts. */
import { runTypeScript } from './lib/typescript.mjs';

await runTypeScript('test/chaos/main.ts', ['rabbitmq']);
