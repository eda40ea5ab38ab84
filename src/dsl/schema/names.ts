/**
 * The known name nearest to a mistyped one, when it is near enough to be meant.
 *
 * @param wanted what stands in the blueprint where a name belongs; items of a list can be null there
 * @returns a hint such as `Did you mean 'cloudify.nodes.Compute'?`, or undefined
 */
export function nearestName(wanted: string | null, known: Iterable<string>): string | undefined {
  if (wanted === null) {
    return undefined;
  }
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(Math.min(wanted.length, 24) / 3)) + 1;
  let looked = 0;
  for (const name of known) {
    // A hint is not worth an unbounded search in a hostile file.
    if (++looked > 5000) {
      break;
    }
    if (Math.abs(name.length - wanted.length) < bestDistance) {
      const distance = editDistance(wanted.toLowerCase(), name.toLowerCase(), bestDistance);
      if (distance < bestDistance) {
        best = name;
        bestDistance = distance;
      }
    }
  }
  return best === undefined ? undefined : `Did you mean '${best}'?`;
}

/** Insertions, deletions, replacements and swaps of neighbours between two texts; stops counting at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (a.length > 200 || b.length > 200) {
    return limit;
  }
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (beforePrevious[j - 2] ?? 0) + 1 : limit;
      current.push(Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, swapped));
    }
    if (Math.min(...current) > limit) {
      return limit;
    }
    [beforePrevious, previous] = [previous, current];
  }
  return previous[b.length] ?? limit;
}
