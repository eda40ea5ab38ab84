import type { Config } from '../../config/config.ts';
import type { Clock, RandomSource } from '../../domain/clock.ts';
import type { RevealSecret } from '../../domain/resources.ts';
import type { Encryption } from '../../store/snapshot/adopt.ts';
import type { FileStore } from '../../files/file-store.ts';
import type { BlueprintParser } from './blueprint-parser.ts';

/** What the product's own workflows need besides the database. */
export interface SystemDependencies {
  readonly config: Config;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly parser: BlueprintParser;
  readonly reveal: RevealSecret;
  /** Writes stored secrets anew. */
  readonly encryption: Encryption;
}
