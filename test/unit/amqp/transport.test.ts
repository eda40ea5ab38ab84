import { expect } from 'chai';
import { agentResponsesQueue, exchangeKind, executorResponsesQueue, serviceQueue } from '../../../src/amqp/names.ts';
import { describeAddress, parseBrokerUrl } from '../../../src/amqp/transport.ts';

describe('broker addresses', () => {
  const cases: [string, Partial<ReturnType<typeof parseBrokerUrl>>][] = [
    ['amqp://host', { protocol: 'amqp', hostname: 'host', port: 5672, vhost: '/', username: 'guest' }],
    ['amqps://host', { protocol: 'amqps', port: 5671 }],
    ['amqp://u%40x:p%2Fw@host:1234/v%2F1', { username: 'u@x', password: 'p/w', port: 1234, vhost: 'v/1' }],
    ['amqp://host/', { vhost: '/' }],
    ['amqp://[::1]:5672/a', { hostname: '::1', vhost: 'a' }],
    ['memory:', { kind: 'memory', hostname: 'local' }],
    ['memory:other', { kind: 'memory', hostname: 'other' }],
  ];
  for (const [url, expected] of cases) {
    it(`reads ${url}`, () => {
      expect(parseBrokerUrl(url)).to.include(expected);
    });
  }

  it('refuses other protocols', () => {
    expect(() => parseBrokerUrl('http://host')).to.throw('amqp://');
  });

  it('never shows credentials', () => {
    expect(describeAddress(parseBrokerUrl('amqp://user:secret@host/v'))).to.equal('amqp://host:5672/v');
  });
});

describe('broker names', () => {
  it('are those that agents and Python workflows use', () => {
    expect(executorResponsesQueue('p1')).to.equal('executor_responses_p1');
    expect(agentResponsesQueue('vm_1', 'e1')).to.equal('vm_1_response_e1');
    expect(serviceQueue('m1')).to.equal('cloudify-mgmtworker-service-m1_service');
    expect(exchangeKind('cloudify-logs')).to.equal('fanout');
    expect(exchangeKind('vm_1')).to.equal('direct');
  });
});
