/** `cloudify.nodes.PasswordSecret`: a secret with a random password. */
import { randomInt } from 'node:crypto';
import { NonRecoverableError } from '../sdk.ts';
import type { ExtensionCall } from './operation.ts';
import { textOf } from './operation.ts';

/** Name of a number of characters -> the characters. */
const alphabets = {
  uppercase: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  lowercase: 'abcdefghijklmnopqrstuvwxyz',
  digits: '0123456789',
  symbols: '!#$%&()*+,-./:;<=>?@[]^_{|}~',
} as const;
type AlphabetName = keyof typeof alphabets;
const alphabetNames = Object.keys(alphabets) as AlphabetName[];

/** What a password is to be made of. */
export interface PasswordRule {
  readonly length: number;
  /** Fewest characters of each kind; -1 = none at all. */
  readonly fewest: Readonly<Record<AlphabetName, number>>;
}

async function ruleOf({ ctx }: ExtensionCall): Promise<PasswordRule> {
  const properties = await ctx.node.properties();
  const number = (name: string, fallback: number): number => {
    const value = properties[name] ?? fallback;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw new NonRecoverableError(`The property ${name} must be a whole number`);
    }
    return value;
  };
  const fewest = Object.fromEntries(alphabetNames.map((name) => [name, number(name, 0)]));
  return { length: number('length', 8), fewest: fewest as Record<AlphabetName, number> };
}

/** @throws NonRecoverableError when no password can follow the rule */
export function checkRule({ length, fewest }: PasswordRule): void {
  const wrong = alphabetNames.find((name) => fewest[name] < -1);
  if (wrong !== undefined) {
    throw new NonRecoverableError(`The property ${wrong} must be -1 for none, or a number of characters`);
  }
  if (alphabetNames.every((name) => fewest[name] === -1)) {
    throw new NonRecoverableError(
      'A password needs characters: not all of uppercase, lowercase, digits, symbols can be -1',
    );
  }
  const needed = alphabetNames.reduce((sum, name) => sum + Math.max(0, fewest[name]), 0);
  if (length < 1 || length < needed) {
    throw new NonRecoverableError(
      `The property length is ${length}, but at least ${Math.max(1, needed)} characters are needed`,
    );
  }
}

/** A random password. @throws NonRecoverableError when no password can follow the rule */
export function makePassword(rule: PasswordRule): string {
  checkRule(rule);
  const pick = (characters: string): string => characters.charAt(randomInt(characters.length));
  const allowed = alphabetNames.filter((name) => rule.fewest[name] >= 0);
  const chosen = allowed.flatMap((name) => Array.from({ length: rule.fewest[name] }, () => pick(alphabets[name])));
  const all = allowed.map((name) => alphabets[name]).join('');
  while (chosen.length < rule.length) {
    chosen.push(pick(all));
  }
  for (let last = chosen.length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    [chosen[last], chosen[other]] = [chosen[other] ?? '', chosen[last] ?? ''];
  }
  return chosen.join('');
}

async function secretNameOf({ ctx, runtime }: ExtensionCall): Promise<string> {
  const properties = await ctx.node.properties();
  const known = textOf(runtime.get('secret_name'));
  return known ?? textOf(properties['secret_name']) ?? `ps_${ctx.deploymentId ?? ''}_${ctx.instance.id}`;
}

/** Creates the secret; one that is there is taken with `use_secret_if_exists` only. */
export async function createPassword(call: ExtensionCall): Promise<void> {
  const { ctx, manager, runtime } = call;
  const rule = await ruleOf(call);
  const properties = await ctx.node.properties();
  const name = await secretNameOf(call);
  const isOurs = runtime.get('secret_name') === name;
  const isThere = await manager.hasSecret(name);
  if (isThere && !isOurs && properties['use_secret_if_exists'] !== true) {
    throw new NonRecoverableError(
      `The secret "${name}" exists already; set use_secret_if_exists to take it, or choose another secret_name`,
    );
  }
  if (!isThere) {
    runtime.set('secret_name', name);
    await ctx.instance.update();
    await manager.createSecret(name, makePassword(rule));
  }
  runtime.set('password', { get_secret: name });
}

/** Deletes the secret if the operation above made it. */
export async function deletePassword({ manager, runtime }: ExtensionCall): Promise<void> {
  const name = textOf(runtime.get('secret_name'));
  if (name !== undefined) {
    await manager.deleteSecret(name);
  }
  runtime.delete('secret_name');
  runtime.delete('password');
}

/** Refuses rules that no password can follow, before anything is created. */
export async function validatePassword(call: ExtensionCall): Promise<void> {
  checkRule(await ruleOf(call));
}
