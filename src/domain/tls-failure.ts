/** Why a connection over TLS did not come about, in words that say what to change. */

/** A server and the settings of the connection to it. */
export interface TlsPeer {
  /** As it is shown: host, or host and port. */
  readonly address: string;
  /** What names the authority's file, e.g. `GANTRY_AMQP_CA_FILE`. */
  readonly authoritySetting: string;
  /** What names the address, e.g. `AMQP_URL`. */
  readonly addressSetting: string;
  /** What names the file of our own certificate and its key. */
  readonly clientSetting: string;
}

interface TlsError extends Error {
  readonly code?: unknown;
  /** Of a certificate for other hosts. */
  readonly cert?: { readonly subjectaltname?: string };
}

const untrusted = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);
const clientAlerts = /ALERT_(?:CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_EXPIRED|HANDSHAKE_FAILURE)/;
const notTls = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);
const notTlsText = 'does not support SSL connections';

function sentenceFor(code: string, error: TlsError, peer: TlsPeer): string | undefined {
  const { address, authoritySetting, addressSetting, clientSetting } = peer;
  if (untrusted.has(code)) {
    return `The certificate of ${address} is signed by no authority that is trusted (${code}). Name the file of its authority in ${authoritySetting}.`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = error.cert?.subjectaltname ?? 'no name at all';
    return `The certificate of ${address} was made for other hosts (${names}). Use one of them in ${addressSetting}, or give the server a certificate that names this one.`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return `The certificate of ${address} is ${code === 'CERT_HAS_EXPIRED' ? 'out of date' : 'not valid yet'}. Renew it on the server, and check the clocks of both machines.`;
  }
  if (clientAlerts.test(code)) {
    return `${address} wants a certificate of ours and takes none that it got (${code}). Name one that its authority signed, and the key, in ${clientSetting}.`;
  }
  return notTls.has(code) || error.message.includes(notTlsText)
    ? `${address} does not speak TLS. Turn TLS on there, use the port that has it, or ask for none in ${addressSetting}.`
    : undefined;
}

/**
 * Explains an error of a TLS handshake.
 * @returns a sentence on what is wrong and one on the remedy; undefined for errors of another kind
 */
export function explainTlsFailure(error: unknown, peer: TlsPeer): string | undefined {
  if (!(error instanceof Error)) {
    return undefined;
  }
  const { code } = error as TlsError;
  return sentenceFor(typeof code === 'string' ? code : '', error, peer);
}
