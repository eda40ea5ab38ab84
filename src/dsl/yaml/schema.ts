import {
  boolYaml11Tag,
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  floatYaml11Tag,
  NOT_RESOLVED,
  Schema,
  YAML11_SCHEMA,
} from 'js-yaml';
import { isWholeFloat, markOddKey, markWholeFloat, setOwn } from './marks.ts';

const truths = new Set(['yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']);
const falsehoods = new Set(['no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']);

/** Booleans as the blueprint language has them: unlike in other YAML 1.1 dialects, `y` and `n` are strings. */
const boolTag = defineScalarTag<boolean>('tag:yaml.org,2002:bool', {
  implicit: true,
  implicitFirstChars: boolYaml11Tag.implicitFirstChars,
  resolve: (source) => (truths.has(source) ? true : falsehoods.has(source) ? false : NOT_RESOLVED),
  identify: (data) => typeof data === 'boolean',
});

/** A float such as `5.0` on its way into its container, which keeps the number and a mark. */
class WholeFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

const floatTag = defineScalarTag<number | WholeFloat>('tag:yaml.org,2002:float', {
  implicit: true,
  implicitFirstChars: floatYaml11Tag.implicitFirstChars,
  resolve: (source, isExplicit, tagName) => {
    const value = floatYaml11Tag.resolve(source, isExplicit, tagName);
    return typeof value === 'number' && Number.isInteger(value) ? new WholeFloat(value) : value;
  },
  identify: () => false,
});

const seqTag = defineSequenceTag<unknown[]>('tag:yaml.org,2002:seq', {
  create: () => [],
  addItem: (list, item, index) => {
    if (item instanceof WholeFloat) {
      markWholeFloat(list, index);
    }
    list.push(item instanceof WholeFloat ? item.value : item);
  },
  identify: () => false,
});

const mapTag = defineMappingTag<Record<string, unknown>>('tag:yaml.org,2002:map', {
  create: () => ({}),
  addPair: (mapping, key, value) => {
    const name = key instanceof WholeFloat ? key.value : key;
    if (typeof name === 'object' && name !== null) {
      return 'a mapping key must be a plain value';
    }
    if (typeof name !== 'string') {
      markOddKey(mapping, { text: String(name), typeName: name === null ? 'null' : typeof name });
    }
    if (value instanceof WholeFloat) {
      markWholeFloat(mapping, String(name));
    }
    setOwn(mapping, String(name), value instanceof WholeFloat ? value.value : value);
    return '';
  },
  has: (mapping, key) => (typeof key !== 'object' || key === null) && Object.hasOwn(mapping, String(key)),
  keys: (mapping) => Object.keys(mapping),
  get: (mapping, key) => {
    const name = String(key);
    const value = Object.hasOwn(mapping, name) ? mapping[name] : null;
    return typeof value === 'number' && isWholeFloat(mapping, name) ? new WholeFloat(value) : value;
  },
  identify: () => false,
});

const unsupportedTags = new Set(['binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`));

/** The YAML dialect of blueprints: YAML 1.1 with merge keys, only tags whose values JSON has, and dates (refused later). */
export const blueprintYamlSchema = new Schema(
  YAML11_SCHEMA.tags.filter((tag) => !unsupportedTags.has(tag.tagName)),
).withTags(boolTag, floatTag, seqTag, mapTag);
