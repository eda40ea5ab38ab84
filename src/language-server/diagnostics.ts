import { LRUCache } from 'lru-cache';
import { DslError } from '../dsl/errors.ts';
import { parseBlueprint } from '../dsl/parse.ts';
import type { DocumentCache } from '../dsl/parse.ts';
import { problemsOf } from '../dsl/report/problem.ts';
import type { BlueprintProblem } from '../dsl/report/problem.ts';
import { loadYaml } from '../dsl/yaml/load.ts';
import type { SourceDocument } from '../dsl/yaml/load.ts';
import { isMainFile } from './workspace.ts';
import type { SourceFile, Workspace } from './workspace.ts';

/** Checks blueprints as they are written. Files that did not change are loaded once. */
export class Checker {
  readonly #workspace: Workspace;
  readonly #cache: DocumentCache = new LRUCache<string, SourceDocument>({ max: 100 });

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /**
   * What is wrong with a file: a blueprint is checked with everything it imports, a part of one for its YAML only.
   *
   * @returns problems by URI of the file they stand in
   */
  async check(file: SourceFile): Promise<Map<string, BlueprintProblem[]>> {
    const found = new Map<string, BlueprintProblem[]>();
    for (const problem of await this.#problemsOf(file)) {
      const uri = problem.file ?? file.uri;
      const known = found.get(uri) ?? [];
      known.push(problem);
      found.set(uri, known);
    }
    return found;
  }

  async #problemsOf(file: SourceFile): Promise<BlueprintProblem[]> {
    const { uri, model } = file;
    try {
      if (!isMainFile(file)) {
        loadYaml(model.text, uri, 'Failed to parse DSL');
        return [];
      }
      await parseBlueprint({
        text: model.text,
        location: uri,
        resolver: this.#workspace.resolverOf(uri),
        resourcesBase: uri.slice(0, uri.lastIndexOf('/')),
        cache: this.#cache,
      });
      return [];
    } catch (error) {
      if (!(error instanceof DslError)) {
        throw error;
      }
      return problemsOf(error, uri, (location) => this.#workspace.uriOf(location));
    }
  }
}
