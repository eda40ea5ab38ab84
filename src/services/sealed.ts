import type { Clock } from '../domain/clock.ts';
import type { SecretBox } from '../security/secret-box.ts';

/** Hands something to a client that only a process of this manager can read again, for a while and for one purpose. */
export interface Sealer<Content extends object> {
  /** Text for URLs and cookies. @param milliseconds how long it is good */
  seal(content: Content, milliseconds: number): string;
  /** @returns undefined when it was changed, is too old, or was made for another purpose */
  open(text: string): Content | undefined;
}

/** Makes a sealer; every process that has the key file reads what any of them sealed. */
export function createSealer<Content extends object>(
  purpose: string,
  { box, clock }: { readonly box: SecretBox; readonly clock: Clock },
): Sealer<Content> {
  return {
    seal: (content, milliseconds) => {
      const text = JSON.stringify({ content, expiresAt: clock.now() + milliseconds });
      return box.encrypt(text, purpose);
    },

    open(text) {
      try {
        const { content, expiresAt } = JSON.parse(box.decrypt(text, purpose)) as {
          content: Content;
          expiresAt: number;
        };
        return expiresAt > clock.now() ? content : undefined;
      } catch {
        // whatever is wrong with it, it is not ours
        return undefined;
      }
    },
  };
}
