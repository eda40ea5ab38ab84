/**
 * Versions and version specifiers of Python packages (PEP 440), by which blueprints say which plugin they need. Versions
 * that do not follow the scheme compare as text and are older than all that do.
 */

interface ParsedVersion {
  readonly epoch: number;
  readonly release: readonly number[];
  /** Orders pre-releases, the release itself and what comes after it. */
  readonly suffix: readonly (number | string)[];
  readonly isPreRelease: boolean;
  readonly local: string;
}

const versionPattern =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(?:post|rev|r)[-_.]?(\d*))?(?:[-_.]?dev[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;
const preReleaseOrder: Readonly<Record<string, number>> = {
  a: 1,
  alpha: 1,
  b: 2,
  beta: 2,
  c: 3,
  rc: 3,
  pre: 3,
  preview: 3,
};

function parseVersion(text: string): ParsedVersion | undefined {
  const match = versionPattern.exec(text.trim());
  if (!match) {
    return undefined;
  }
  const [, epoch, release = '', preKind, preNumber, postImplicit, postNumber, devNumber, local] = match;
  const isDev = devNumber !== undefined;
  const isPost = postImplicit !== undefined || postNumber !== undefined;
  const pre = preKind === undefined ? undefined : [preReleaseOrder[preKind.toLowerCase()] ?? 3, Number(preNumber)];
  return {
    epoch: Number(epoch ?? 0),
    release: release.split('.').map(Number),
    suffix: [
      ...(pre ?? (isDev && !isPost ? [0, 0] : [4, 0])),
      isPost ? 1 : 0,
      Number(postImplicit ?? postNumber ?? 0),
      isDev ? 0 : 1,
      Number(devNumber ?? 0),
    ],
    isPreRelease: pre !== undefined || isDev,
    local: local ?? '',
  };
}

function compareLists(left: readonly (number | string)[], right: readonly (number | string)[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = Number(left[index] ?? 0) - Number(right[index] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/** Orders versions: negative when `left` is the older one. */
export function compareVersions(left: string, right: string): number {
  const [first, second] = [parseVersion(left), parseVersion(right)];
  if (!first || !second) {
    return first ? 1 : second ? -1 : left.localeCompare(right);
  }
  return (
    first.epoch - second.epoch ||
    compareLists(first.release, second.release) ||
    compareLists(first.suffix, second.suffix) ||
    first.local.localeCompare(second.local)
  );
}

const specifierPattern = /^(===|==|!=|~=|<=|>=|<|>)?\s*(\S+)$/;

type Check = (version: string) => boolean;

/**
 * Reads a comma separated list of specifiers; an item without operator asks for exactly that version.
 * @returns whether a version meets all of them; undefined when an item cannot be read
 */
export function parseSpecifiers(text: string): Check | undefined {
  const checks: Check[] = [];
  for (const item of text.split(',')) {
    const match = specifierPattern.exec(item.trim());
    const check = match ? toCheck(match[1] ?? '===', match[2] ?? '') : undefined;
    if (!check) {
      return undefined;
    }
    checks.push(check);
  }
  return (version) => checks.every((check) => check(version));
}

function toCheck(operator: string, wanted: string): Check | undefined {
  if (operator === '===') {
    return (version) => version.trim() === wanted;
  }
  const isPrefix = wanted.endsWith('.*');
  const parsed = parseVersion(isPrefix ? wanted.slice(0, -2) : wanted);
  if (!parsed || (isPrefix && operator !== '==' && operator !== '!=')) {
    return undefined;
  }
  const isEqual: Check = (version) =>
    isPrefix ? hasPrefix(version, parsed) : compareVersions(withoutLocal(version, parsed), wanted) === 0;
  switch (operator) {
    case '==':
      return isEqual;
    case '!=':
      return (version) => !isEqual(version);
    case '<=':
      return (version) => compareVersions(version, wanted) <= 0;
    case '>=':
      return (version) => compareVersions(version, wanted) >= 0;
    case '<':
      return (version) => compareVersions(version, wanted) < 0 && !isPreReleaseOf(version, parsed);
    case '>':
      return (version) => compareVersions(version, wanted) > 0 && !isPostReleaseOf(version, parsed);
    default:
      return compatibleWith(wanted, parsed);
  }
}

/** A local part matters only where the specifier has one. */
function withoutLocal(version: string, wanted: ParsedVersion): string {
  return wanted.local === '' ? version.replace(/\+.*$/, '') : version;
}

function hasPrefix(version: string, prefix: ParsedVersion): boolean {
  const parsed = parseVersion(version);
  return (
    parsed !== undefined &&
    parsed.epoch === prefix.epoch &&
    prefix.release.every((part, index) => (parsed.release[index] ?? 0) === part)
  );
}

function sharesRelease(version: string, wanted: ParsedVersion): ParsedVersion | undefined {
  const parsed = parseVersion(version);
  return parsed && parsed.epoch === wanted.epoch && compareLists(parsed.release, wanted.release) === 0
    ? parsed
    : undefined;
}

/** `<1.0` does not mean 1.0rc1. */
function isPreReleaseOf(version: string, wanted: ParsedVersion): boolean {
  return !wanted.isPreRelease && sharesRelease(version, wanted)?.isPreRelease === true;
}

/** `>1.0` does not mean 1.0.post1. */
function isPostReleaseOf(version: string, wanted: ParsedVersion): boolean {
  return wanted.suffix[2] === 0 && sharesRelease(version, wanted)?.suffix[2] === 1;
}

/** `~=1.4.2` means at least 1.4.2 and below 1.5. */
function compatibleWith(wanted: string, parsed: ParsedVersion): Check | undefined {
  if (parsed.release.length < 2) {
    return undefined;
  }
  const prefix = { ...parsed, release: parsed.release.slice(0, -1) };
  return (version) => compareVersions(version, wanted) >= 0 && hasPrefix(version, prefix);
}
