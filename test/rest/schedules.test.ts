import { expect } from 'chai';
import { RestService, simpleBlueprint } from './kit.ts';

describe('schedules and summaries', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start();
    await rest.upload('b', { 'blueprint.yaml': simpleBlueprint });
    for (const id of ['d1', 'd2']) {
      expect((await rest.call('PUT', `/deployments/${id}`, { body: { blueprint_id: 'b' } })).status).to.equal(201);
    }
  });

  after(() => rest?.stop());

  const path = '/execution-schedules/nightly?deployment_id=d1';

  it('stores a schedule, with its next occurrences', async () => {
    const body = { workflow_id: 'install', since: '2020-01-01T02:00:00', recurrence: '1 day', slip: 5 };
    const answer = await rest.call('PUT', path, { body });
    expect(answer.status, answer.text).to.equal(201);
    const schedule = answer.json<Record<string, unknown>>();
    expect(schedule).to.include({ id: 'nightly', deployment_id: 'd1', slip: 5, enabled: true, stop_on_fail: false });
    expect(schedule['rule']).to.deep.equal({ recurrence: '1 day', count: null, weekdays: null });
    expect(schedule['next_occurrence']).to.match(/T02:00:00\.000Z$/);
    expect((schedule['all_next_occurrences'] as string[])[0]).to.match(/ 02:00:00$/);
    expect((await rest.call('PUT', path, { body })).status).to.equal(409);
  });

  it('switches it off and on without touching its rule', async () => {
    const answer = await rest.call('PATCH', path, { body: { enabled: false } });
    expect(answer.status, answer.text).to.equal(201);
    expect(answer.json<Record<string, unknown>>()).to.include({ enabled: false });
    expect(answer.json<{ rule: unknown }>().rule).to.deep.equal({ recurrence: '1 day', count: null, weekdays: null });
    const rrule = { workflow_id: 'install', since: '2020-01-01 00:00:00', rrule: 'FREQ=WEEKLY;BYDAY=MO' };
    expect((await rest.call('PUT', '/execution-schedules/weekly?deployment_id=d1', { body: rrule })).status).to.equal(
      201,
    );
    const off = await rest.call('PATCH', '/execution-schedules/weekly?deployment_id=d1', { body: { enabled: false } });
    expect(off.json<{ rule: unknown }>().rule).to.deep.equal({ rrule: 'FREQ=WEEKLY;BYDAY=MO' });
    const parameters = { parameters: { ignore_failure: true } };
    const changed = await rest.call('PATCH', '/execution-schedules/weekly?deployment_id=d1', { body: parameters });
    expect(changed.json()).to.deep.include({ ...parameters, rule: { rrule: 'FREQ=WEEKLY;BYDAY=MO' }, enabled: false });
  });

  const wrong: [string, Record<string, unknown>, string][] = [
    ['an unknown workflow', { workflow_id: 'nope', since: '2030-01-01', count: 1 }, 'nonexistent_workflow_error'],
    ['no recurrence for many', { workflow_id: 'install', since: '2030-01-01', count: 2 }, 'bad_parameters_error'],
    [
      'two kinds of rules',
      { workflow_id: 'install', since: '2030-01-01', rrule: 'FREQ=DAILY', count: 2 },
      'bad_parameters_error',
    ],
    [
      'a rule that cannot be read',
      { workflow_id: 'install', since: '2030-01-01', rrule: 'nonsense' },
      'bad_parameters_error',
    ],
    ['a time that cannot be read', { workflow_id: 'install', since: 'soon', count: 1 }, 'bad_parameters_error'],
    ['no time', { workflow_id: 'install', count: 1 }, 'bad_parameters_error'],
  ];
  for (const [what, body, code] of wrong) {
    it(`refuses ${what}`, async () => {
      const answer = await rest.call('PUT', '/execution-schedules/wrong?deployment_id=d1', { body });
      expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([400, code]);
    });
  }

  it('turns a scheduled time into a schedule that fires once', async () => {
    const body = { deployment_id: 'd2', workflow_id: 'install', scheduled_time: '203001012230-0500' };
    const answer = await rest.call('POST', '/executions', { body });
    expect(answer.status, answer.text).to.equal(201);
    expect(answer.body).to.include({ status: 'scheduled', id: null });
    const list = await rest.call('GET', '/execution-schedules?deployment_id=d2');
    const [schedule] = list.json<{ items: Record<string, unknown>[] }>().items;
    expect(schedule?.['next_occurrence']).to.equal('2030-01-02T03:30:00.000Z');
    const past = await rest.call('POST', '/executions', { body: { ...body, scheduled_time: '201001010000' } });
    expect(past.json<{ message: string }>().message).to.match(/has already passed/);
  });

  it('counts resources by their fields', async () => {
    const byBlueprint = await rest.call('GET', '/summary/deployments?_target_field=blueprint_id');
    expect(byBlueprint.json<{ items: unknown }>().items).to.deep.equal([{ blueprint_id: 'b', deployments: 2 }]);
    const nested = await rest.call(
      'GET',
      '/summary/executions?_target_field=deployment_id&_sub_field=status_display&deployment_id=d1',
    );
    expect(nested.json<{ items: unknown }>().items).to.deep.equal([
      { deployment_id: 'd1', executions: 1, 'by status_display': [{ status_display: 'completed', executions: 1 }] },
    ]);
    const recurring = await rest.call(
      'GET',
      '/summary/execution_schedules?_target_field=deployment_id&_sub_field=recurrence',
    );
    expect(recurring.text).to.contain('"recurrence":"recurring"');
    expect((await rest.call('GET', '/summary/nodes?_target_field=nope')).status).to.equal(400);
  });

  it('deletes a schedule', async () => {
    expect((await rest.call('DELETE', path)).status).to.equal(204);
    expect((await rest.call('GET', path)).status).to.equal(404);
    expect((await rest.call('GET', '/execution-schedules/nightly')).status).to.equal(400);
  });
});
