import { expect } from 'chai';
import { returnAddress } from '../../../src/services/return-address.ts';

const manager = 'https://manager.example.com';

describe('where a browser is led after a login', () => {
  const allowed: [string, string][] = [
    ['/console/auth/callback', `${manager}/console/auth/callback`],
    ['/console/?c=%5B%5D', `${manager}/console/?c=%5B%5D`],
    ['/a/..//evil.example.com', `${manager}//evil.example.com`],
    ['http://127.0.0.1:49152/a', 'http://127.0.0.1:49152/a'],
    ['http://[::1]:49152/', 'http://[::1]:49152/'],
  ];
  for (const [given, expected] of allowed) {
    it(`may be ${given}`, () => {
      expect(returnAddress(given, manager)?.href).to.equal(expected);
    });
  }

  const refused = [
    '',
    'console',
    'https://evil.example.com/',
    'https://manager.example.com/console',
    '//evil.example.com',
    '///evil.example.com',
    '/\\evil.example.com',
    '\\\\evil.example.com',
    '/\t/evil.example.com',
    '/\n/evil.example.com',
    ' //evil.example.com',
    'javascript:alert(1)',
    'data:text/html,x',
    'http://127.0.0.1/',
    'http://127.0.0.1:80@evil.example.com/',
    'http://user:password@127.0.0.1:8000/',
    'http://127.0.0.1.evil.example.com:8000/',
    'http://localhost:8000/',
    'https://127.0.0.1:8000/',
    'http://0.0.0.0:8000/',
    'http://10.0.0.1:8000/',
    `/${'a'.repeat(2000)}`,
  ];
  for (const given of refused) {
    it(`may not be ${JSON.stringify(given).slice(0, 60)}`, () => {
      expect(returnAddress(given, manager)).to.equal(undefined);
    });
  }
});
