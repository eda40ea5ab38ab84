/** Reads an assertion whose signature was verified. */

export interface SamlTimes {
  /** Milliseconds since the epoch. */
  readonly notBefore: number | undefined;
  readonly notOnOrAfter: number | undefined;
}

export interface SamlAssertion {
  readonly id: string;
  /** Who made it. */
  readonly issuer: string;
  /** Whom it is for; every restriction that it has names them. */
  readonly audiences: readonly string[];
  readonly conditions: SamlTimes;
  /** How whoever brings it is let in, those of the method bearer. */
  readonly confirmations: readonly (SamlTimes & { readonly recipient: string | undefined })[];
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

/** An element as the parser gives it: attributes in `$`, text in `_`, children in lists by their local names. */
type Element = Readonly<Record<string, unknown>>;

const bearer = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';

function isElement(value: unknown): value is Element {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function children(element: Element | undefined, name: string): Element[] {
  const found: unknown = element?.[name];
  const values: unknown[] = Array.isArray(found) ? found : found === undefined ? [] : [found];
  return values.map((value) => (isElement(value) ? value : { _: value }));
}

function textOf(element: Element | undefined): string {
  const text = element?.['_'];
  return typeof text === 'string' ? text.trim() : '';
}

function attribute(element: Element | undefined, name: string): string | undefined {
  const attributes = element?.['$'];
  const value = isElement(attributes) ? attributes[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** @param unreadable what counts when something stands there that is no time: a bound that nobody is within */
function timeOf(element: Element | undefined, name: string, unreadable: number): number | undefined {
  const text = attribute(element, name);
  if (text === undefined) {
    return undefined;
  }
  const time = Date.parse(text);
  return Number.isNaN(time) ? unreadable : time;
}

function timesOf(element: Element | undefined): SamlTimes {
  return {
    notBefore: timeOf(element, 'NotBefore', Number.MAX_SAFE_INTEGER),
    notOnOrAfter: timeOf(element, 'NotOnOrAfter', 0),
  };
}

function audiencesOf(conditions: Element | undefined): string[] {
  const restrictions = children(conditions, 'AudienceRestriction').map((restriction) =>
    children(restriction, 'Audience').map(textOf),
  );
  const [first = [], ...others] = restrictions;
  return first.filter((audience) => others.every((other) => other.includes(audience)));
}

function attributesOf(assertion: Element): Map<string, string[]> {
  const attributes = new Map<string, string[]>();
  for (const statement of children(assertion, 'AttributeStatement')) {
    for (const element of children(statement, 'Attribute')) {
      const name = attribute(element, 'Name');
      if (name !== undefined) {
        const values = children(element, 'AttributeValue').map(textOf);
        attributes.set(name, [...(attributes.get(name) ?? []), ...values]);
      }
    }
  }
  return attributes;
}

/** @returns undefined when it is none, or has no id */
export function samlAssertionOf(document: unknown): SamlAssertion | undefined {
  const [assertion] = isElement(document) ? children(document, 'Assertion') : [];
  const id = attribute(assertion, 'ID');
  if (!assertion || id === undefined || id === '') {
    return undefined;
  }
  const [conditions] = children(assertion, 'Conditions');
  const confirmations = children(assertion, 'Subject')
    .flatMap((subject) => children(subject, 'SubjectConfirmation'))
    .filter((confirmation) => attribute(confirmation, 'Method') === bearer)
    .flatMap((confirmation) => children(confirmation, 'SubjectConfirmationData'));
  return {
    id,
    issuer: textOf(children(assertion, 'Issuer')[0]),
    audiences: audiencesOf(conditions),
    conditions: timesOf(conditions),
    confirmations: confirmations.map((data) => ({ ...timesOf(data), recipient: attribute(data, 'Recipient') })),
    attributes: attributesOf(assertion),
  };
}
