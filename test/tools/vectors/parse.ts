import type { Plan } from '../../../src/domain/plan.ts';
import { DslError, logicError } from '../../../src/dsl/errors.ts';
import type { DslErrorClass } from '../../../src/dsl/errors.ts';
import { parseBlueprint } from '../../../src/dsl/parse.ts';
import type { ImportedSource, ImportResolver } from '../../../src/dsl/parse.ts';

interface RecordedError {
  class: DslErrorClass;
  code: number | null;
  message: string;
}

interface RecordedBlueprint {
  text: string;
  location: string | null;
  resources_base_path: string | null;
}

type RecordedFetch = { text: string } | { error: RecordedError } | { blueprint: RecordedBlueprint };

/** The input of a recorded parse. */
export interface ParseInput {
  text: string;
  location: string | null;
  resources_base_path: string | null;
  additional_resource_sources: string[];
  validate_version: boolean;
  validate_intrinsic_function: boolean;
  validate_input_defaults: boolean;
  fetch: Record<string, RecordedFetch>;
  exists: string[];
  url_exists: string[];
}

class RecordedResolver implements ImportResolver {
  private readonly input: ParseInput;

  constructor(input: ParseInput) {
    this.input = input;
  }

  fetch(location: string): Promise<ImportedSource> {
    const answer = this.input.fetch[location];
    if (!answer) {
      return Promise.reject(logicError(13, `Import failed: Unable to open import url ${location}; not recorded`));
    }
    if ('error' in answer) {
      const { class: className, code, message } = answer.error;
      return Promise.reject(new DslError(className, message, { code: code ?? undefined }));
    }
    if ('blueprint' in answer) {
      const { text, location: at, resources_base_path: base } = answer.blueprint;
      return Promise.resolve({
        kind: 'blueprint',
        text,
        ...(at === null ? {} : { location: at }),
        ...(base === null ? {} : { resourcesBase: base }),
      });
    }
    return Promise.resolve({ kind: 'file', text: answer.text });
  }

  locateFile(path: string): Promise<string | undefined> {
    return Promise.resolve(this.input.exists.includes(path) ? `file:${path}` : undefined);
  }

  resourceExists(url: string): Promise<boolean> {
    return Promise.resolve(this.input.url_exists.includes(url));
  }
}

/** The day on which times without a date were recorded. */
const recordedAt = Date.UTC(2026, 10, 21, 12);

/** Parses a recorded blueprint with its recorded imports. */
export async function parseVector(input: ParseInput): Promise<Plan> {
  return parseBlueprint({
    text: input.text,
    location: input.location ?? undefined,
    resolver: new RecordedResolver(input),
    resourcesBase: input.resources_base_path ?? undefined,
    additionalResourceBases: input.additional_resource_sources,
    validateVersion: input.validate_version,
    validateFunctions: input.validate_intrinsic_function,
    validateInputDefaults: input.validate_input_defaults,
    localTime: { now: () => recordedAt },
  });
}
