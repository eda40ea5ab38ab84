#!/usr/bin/env node
/** `npm run stress -- --seconds N --seed S`: many people do everything at once; see test/chaos/stress/main.ts. */
import { runTypeScript } from './lib/typescript.mjs';

await runTypeScript('test/chaos/stress/main.ts', ['rabbitmq']);
