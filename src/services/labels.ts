import type { Label } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import { readTime } from '../domain/read-time.ts';
import type { NewLabel as StoredLabel } from '../store/labels.ts';
import type { Session } from '../store/session.ts';
import type { Caller } from './caller.ts';
import { creationTime, ownerIds } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** A label before it is stored. */
export interface NewLabel {
  readonly key: string;
  readonly value: string;
  /** Who set it and when, where the client tells. */
  readonly origin?: Origin;
}

const longestText = 256;
const reservedPrefix = 'csys-';

/** Reserved keys that clients may use all the same. */
export const allowedReservedKeys = [
  'csys-obj-name',
  'csys-obj-type',
  'csys-env-type',
  'csys-wrcp-services',
  'csys-location-name',
  'csys-location-lat',
  'csys-location-long',
  'csys-obj-parent',
  'csys-environment',
  'csys-consumer-id',
  'csys-wrcp-group-id',
] as const;

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/** Checks and normalises a key. @throws GantryError bad_parameters_error */
function normaliseLabelKey(key: string): string {
  if (key.length === 0 || key.length > longestText) {
    refuse('The key or value is too long. Maximum allowed length is 256 characters, and neither may be empty');
  }
  if (!/^[A-Za-z0-9._~-]+$/.test(key)) {
    refuse(
      `The key \`${key}\` contains illegal characters. Only letters, digits and the characters "-", "." and "_" are allowed`,
    );
  }
  const lower = key.toLowerCase();
  if (lower.startsWith(reservedPrefix) && !allowedReservedKeys.some((allowed) => allowed === lower)) {
    refuse(
      'All labels with a `csys-` prefix are reserved for internal use. Allowed `csys-` prefixed labels are: ' +
        allowedReservedKeys.join(', '),
    );
  }
  return lower;
}

const coordinateLimits: Readonly<Record<string, number>> = {
  'csys-location-lat': 90,
  'csys-location-long': 180,
};

/** Checks and normalises a value of a label. @throws GantryError bad_parameters_error */
export function normaliseLabelValue(key: string, value: string): string {
  if (value.length > longestText) {
    refuse('The key or value is too long. Maximum allowed length is 256 characters');
  }
  const normalised = value.normalize('NFKC');
  if (normalised === '' || /["\p{Cc}]/u.test(normalised)) {
    refuse(`The value \`${value}\` of the label \`${key}\` is empty or has control characters or quotes`);
  }
  const limit = coordinateLimits[key];
  const isOutside = limit !== undefined && !(Math.abs(Number(normalised)) <= limit);
  if (isOutside) {
    refuse(`The value of the label \`${key}\` must be a number from -${limit} to ${limit}, got ${value}`);
  }
  return key === 'csys-obj-type' ? normalised.toLowerCase() : normalised;
}

function entryOf(element: Json): [string, Json] {
  const entries =
    typeof element === 'object' && element !== null && !Array.isArray(element) ? Object.entries(element) : [];
  const [entry] = entries;
  if (entries.length !== 1 || !entry) {
    return refuse(
      'Labels must be a list of 1-entry dictionaries: [{<key1>: <value1>}, {<key2>: [<value2>, <value3>]}, ...]',
    );
  }
  return entry;
}

interface WholeLabel {
  readonly key: string;
  readonly value: string;
  readonly created_at?: Json;
  readonly created_by?: Json;
}

function isKeyAndValue(element: Json): element is Json & WholeLabel {
  return (
    typeof element === 'object' &&
    element !== null &&
    !Array.isArray(element) &&
    typeof element['key'] === 'string' &&
    typeof element['value'] === 'string'
  );
}

function optionalText(value: Json | undefined, name: string): string | undefined {
  if (value !== undefined && value !== null && typeof value !== 'string') {
    return refuse(`${name} of a label must be a text`);
  }
  return value === null || value === '' ? undefined : value;
}

function originOf({ created_by: creator, created_at: time }: WholeLabel): Origin | undefined {
  const createdAt = optionalText(time, 'created_at');
  const origin = {
    creator: optionalText(creator, 'created_by'),
    createdAt: createdAt === undefined ? undefined : readTime(createdAt, 'created_at'),
  };
  return (origin.creator ?? origin.createdAt) === undefined ? undefined : origin;
}

interface GivenLabel {
  readonly key: string;
  readonly value: Json;
  readonly origin: Origin | undefined;
}

function givenLabels(element: Json): GivenLabel[] {
  if (isKeyAndValue(element)) {
    return [{ key: element.key, value: element.value, origin: originOf(element) }];
  }
  const [key, value] = entryOf(element);
  return [value].flat(1).map((single) => ({ key, value: single, origin: undefined }));
}

/**
 * Reads labels as clients give them: `[{"key": "value"}, {"key": ["a", "b"]}]`, or as they are shown:
 * `[{"key": k, "value": v, "created_by": user, "created_at": time}]`, where the last two may be missing.
 * @throws GantryError bad_parameters_error
 */
export function parseLabels(given: Json): NewLabel[] {
  if (!Array.isArray(given)) {
    return refuse(
      'Labels must be a list of 1-entry dictionaries: [{<key1>: <value1>}, {<key2>: [<value2>, <value3>]}, ...]',
    );
  }
  const labels = given.flatMap(givenLabels).map(({ key: rawKey, value: rawValue, origin }): NewLabel => {
    const key = normaliseLabelKey(rawKey);
    if (typeof rawValue !== 'string') {
      return refuse(`The value of the label \`${rawKey}\` must be a text`);
    }
    return { key, value: normaliseLabelValue(key, rawValue), ...(origin ? { origin } : {}) };
  });
  if (new Set(labels.map(labelKey)).size < labels.length) {
    refuse('You cannot define the same label twice');
  }
  return labels;
}

/** What tells labels of one resource apart. */
function labelKey({ key, value }: { readonly key: string; readonly value: string }): string {
  return `${key}\0${value}`;
}

/**
 * Labels with the users they are of and the times they are from.
 * @param common what counts for labels that tell nothing themselves
 * @param present labels that are there; those stay as they are, so whatever is told of them needs no permission
 * @throws GantryError forbidden_error without set_owner or set_timestamp, not_found_error for an unknown user
 */
export async function labelsToStore(
  session: Session,
  caller: Caller,
  labels: readonly NewLabel[],
  common: Origin = {},
  present: readonly Label[] = [],
): Promise<StoredLabel[]> {
  const known = new Set(present.map(labelKey));
  const told = labels.map((label) => ({
    key: label.key,
    value: label.value,
    origin: known.has(labelKey(label)) ? {} : { ...common, ...definedOf(label.origin) },
  }));
  const owners = await ownerIds(
    session,
    caller,
    told.map(({ origin }) => origin.creator),
  );
  return told.map(({ key, value, origin }) => ({
    key,
    value,
    creatorId: owners.get(origin.creator ?? '') ?? caller.user.id,
    createdAt: creationTime(caller, origin.createdAt),
  }));
}

function definedOf({ creator, createdAt }: Origin = {}): Origin {
  return { ...(creator === undefined ? {} : { creator }), ...(createdAt === undefined ? {} : { createdAt }) };
}
