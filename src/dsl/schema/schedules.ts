import { DslError, parsingError } from '../errors.ts';
import { isDict, bool, dictOf, fields, integer, leaf, listOf, mapping, text } from './element.ts';
import type { CheckContext, Element } from './element.ts';

const weekdays = ['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa'];
const timeDelta = /^(\d+) ?(min(ute)?|h(our)?|d(ay)?|w(eek)?|mo(nth)?|y(ear)?)s?$/;

/**
 * Checks a span of time such as `4 hours` or `1d`.
 *
 * @throws DslError NonRecoverableError
 */
export function checkTimeDelta(value: string, { path }: Pick<CheckContext, 'path'>): void {
  if (value !== '' && !timeDelta.test(value)) {
    throw new DslError('NonRecoverableError', `${value} is not a legal time delta`, {
      path,
      remedy: 'Write a number and one of minutes, hours, days, weeks, months, years',
    });
  }
}

function checkWeekday(value: string, { path }: CheckContext): void {
  const day = value.toLowerCase().slice(-2);
  if (!weekdays.includes(day)) {
    const accepted = weekdays.map((name) => `'${name}'`).join(', ');
    throw parsingError(1, `${day} is not a valid weekday value. Accepted values: [${accepted}]`, { path });
  }
}

function checkParameters(value: Record<string, unknown>, { path }: CheckContext): void {
  const refuse = (verb: string, suffix: string): never => {
    const message = `\`workflow_parameters\` cannot ${verb} a runtime property.`;
    throw parsingError(1, `${message} Please remove the \`get_attribute\` function${suffix}`, { path });
  };
  if (Object.hasOwn(value, 'get_attribute')) {
    refuse('be', '');
  }
  for (const [key, item] of Object.entries(value)) {
    if (isDict(item) && Object.hasOwn(item, 'get_attribute')) {
      refuse('contain', ` from the value of ${key}`);
    }
  }
}

const schedule = fields(
  {
    workflow: text({ isRequired: true, about: 'Workflow to run.' }),
    execution_arguments: fields({
      force: bool(),
      is_dry_run: bool(),
      wait_after_fail: integer(),
      allow_custom_parameters: bool(),
    }),
    workflow_parameters: mapping({ check: checkParameters }),
    since: text({
      isRequired: true,
      about: 'First time: `YYYY-MM-DD HH:MM`, `HH:MM`, or relative, such as `+4 hours`.',
    }),
    until: text({ about: 'Last time, written like `since`.' }),
    recurrence: text({ check: checkTimeDelta, about: 'Time between runs, such as `1 day`.' }),
    timezone: text({ about: 'Name of the time zone of `since` and `until`.' }),
    weekdays: listOf(text({ check: checkWeekday }), { about: 'Days on which it runs, such as `mo` or `1tu`.' }),
    count: integer({ about: 'Number of runs.' }),
    default_enabled: bool(),
    stop_after_fail: bool(),
    slip: integer({ about: 'Minutes a run may be late.' }),
  },
  { isRequired: true },
);

/** What deployments of the blueprint get when they are created. */
export const deploymentSettings: Element = fields({
  default_schedules: dictOf(schedule),
  default_groups: leaf(['list']),
  id_template: text(),
  display_name: leaf(['string', 'dict']),
});
