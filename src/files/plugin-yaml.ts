import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const versioned = /_(\d+)_(\d+)\.ya?ml$/;

/**
 * Chooses the YAML file of a plugin that fits a version of the blueprint language: the one made for it, else the newest
 * one made for an older version, else one that names no version.
 * @param directory of the plugin on the file server
 * @param languageVersion such as `1_5`; undefined = the newest
 * @returns its path; undefined when the plugin has none
 */
export async function choosePluginYaml(directory: string, languageVersion?: string): Promise<string | undefined> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /\.ya?ml$/.test(name)).sort();
  const wanted = languageVersion === undefined ? undefined : numberOf(languageVersion.split('_').map(Number));
  const candidates = names.flatMap((name) => {
    const match = versioned.exec(name);
    const version = match ? numberOf([Number(match[1]), Number(match[2])]) : undefined;
    return version === undefined || (wanted !== undefined && version > wanted) ? [] : [{ name, version }];
  });
  const best = candidates.sort((left, right) => right.version - left.version)[0];
  const name = best?.name ?? names.find((candidate) => !versioned.test(candidate));
  return name === undefined ? undefined : join(directory, name);
}

function numberOf([major = 0, minor = 0]: readonly number[]): number {
  return major * 1000 + minor;
}
