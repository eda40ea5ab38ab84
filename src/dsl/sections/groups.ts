import type { Json, JsonObject, PropertySchema } from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import { pythonText } from '../../domain/python-text.ts';
import type { Path } from '../errors.ts';
import { nearestName } from '../schema/names.ts';
import { readProperties } from '../types/schemas.ts';
import type { Raw, SchemaContext } from '../types/schemas.ts';
import { own, valuesWithDefaults } from '../types/values.ts';
import { setOwn } from '../yaml/marks.ts';

export interface Group {
  readonly members: string[];
  readonly policies: JsonObject;
}

/** Policy types and triggers: kept for old blueprints, never run. */
export interface PolicyTypes {
  readonly types: JsonObject;
  readonly triggers: JsonObject;
}

/** Reads the sections `policy_types` and `policy_triggers`. */
export function readPolicyTypes(tree: Raw, context: SchemaContext): PolicyTypes {
  const read = (section: string, key: 'properties' | 'parameters'): JsonObject => {
    const result: JsonObject = {};
    for (const [name, raw] of Object.entries((tree[section] ?? {}) as Record<string, Raw>)) {
      const { schemas } = readProperties(raw[key], name, [section, name, key], context);
      setOwn(result, name, { [key]: schemas as unknown as Json, source: raw['source'] as string });
    }
    return result;
  };
  return { types: read('policy_types', 'properties'), triggers: read('policy_triggers', 'parameters') };
}

/** Reads the section `groups`. */
export function readGroups(
  section: unknown,
  nodeNames: ReadonlySet<string>,
  policyTypes: PolicyTypes,
  context: SchemaContext,
): Map<string, Group> {
  const raws = (section ?? {}) as Record<string, Raw>;
  const groups = new Map<string, Group>();
  for (const [name, raw] of Object.entries(raws)) {
    const path = ['groups', name];
    context.problems.attempt(path, () => {
      if (nodeNames.has(name)) {
        context.problems.add(logicError(211, `Both a group and a node template are named '${name}'`, { path }));
      }
      const isKnown = (member: string | null): member is string =>
        member !== null &&
        (nodeNames.has(member) ||
          Object.hasOwn(raws, member) ||
          context.problems.isBroken('node_templates', member) ||
          context.problems.isBroken('groups', member));
      const given = [...new Set(raw['members'] as (string | null)[])];
      const members = given.filter(isKnown);
      for (const member of given.filter((item) => !isKnown(item))) {
        const error = logicError(
          40,
          `Member '${pythonText(member)}' of group '${name}' does not match any defined node`,
          {
            path: [...path, 'members', (raw['members'] as (string | null)[]).indexOf(member)],
            remedy: nearestName(member, [...nodeNames, ...Object.keys(raws)]),
          },
        );
        context.problems.add(error);
      }
      groups.set(name, { members, policies: readGroupPolicies(name, raw['policies'], policyTypes, context) });
    });
  }
  return groups;
}

function readGroupPolicies(
  group: string,
  section: unknown,
  { types, triggers }: PolicyTypes,
  context: SchemaContext,
): JsonObject {
  const result: JsonObject = {};
  for (const [name, raw] of Object.entries((section ?? {}) as Record<string, Raw>)) {
    const path = ['groups', group, 'policies', name];
    context.problems.attempt(path, () => {
      setOwn(result, name, readGroupPolicy(group, name, raw, { types, triggers }, context));
    });
  }
  return result;
}

function readGroupPolicy(
  group: string,
  name: string,
  raw: Raw,
  { types, triggers }: PolicyTypes,
  context: SchemaContext,
): JsonObject {
  const path = ['groups', group, 'policies', name];
  const typeName = raw['type'] as string;
  context.problems.requireSound('policy_types', typeName);
  const type = own(types, typeName) as { properties: Record<string, PropertySchema> } | undefined;
  if (!type) {
    const message = `Policy '${name}' of group '${group}' references a non existent policy type '${typeName}'`;
    throw logicError(41, message, {
      path: [...path, 'type'],
      remedy: nearestName(typeName, Object.keys(types)),
    });
  }
  const owner = `group '${group}', policy '${name}'`;
  const given = (raw['properties'] ?? {}) as JsonObject;
  return {
    type: typeName,
    properties: policyValues(given, type.properties, owner, [...path, 'properties'], context),
    triggers: readTriggers(owner, { group, policy: name }, raw['triggers'], triggers, context),
  };
}

function readTriggers(
  owner: string,
  { group, policy }: { group: string; policy: string },
  section: unknown,
  triggers: JsonObject,
  context: SchemaContext,
): JsonObject {
  const result: JsonObject = {};
  for (const [name, raw] of Object.entries((section ?? {}) as Record<string, Raw>)) {
    const path = ['groups', group, 'policies', policy, 'triggers', name];
    const typeName = raw['type'] as string;
    context.problems.requireSound('policy_triggers', typeName);
    const type = own(triggers, typeName) as { parameters: Record<string, PropertySchema> } | undefined;
    if (!type) {
      const what = `Trigger '${name}' of policy '${policy}' of group '${group}'`;
      throw logicError(42, `${what} references a non existent 'policy trigger '${typeName}'`, {
        path: [...path, 'type'],
        remedy: nearestName(typeName, Object.keys(triggers)),
      });
    }
    const given = (raw['parameters'] ?? {}) as JsonObject;
    const at = [...path, 'parameters'];
    setOwn(result, name, {
      type: typeName,
      parameters: policyValues(given, type.parameters, `${owner} trigger '${name}'`, at, context),
    });
  }
  return result;
}

function policyValues(
  given: JsonObject,
  schemas: Record<string, PropertySchema>,
  owner: string,
  path: Path,
  { dataTypes, problems }: SchemaContext,
): JsonObject {
  return valuesWithDefaults(given, schemas, {
    dataTypes,
    problems,
    owner,
    undefinedMessage: (name, property) =>
      `${name} '${property}' property is not part of the policy type properties schema`,
    missingMessage: (name, property) =>
      `${name} does not provide a value for mandatory '${property}' property which is part of its policy type schema`,
    mustBeComplete: true,
    at: path,
  });
}
