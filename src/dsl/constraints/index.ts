export { validateConstraintDeclarations } from './declaration.ts';
export type { ConstraintOwner } from './declaration.ts';
export { validateInputDefaults } from './input-defaults.ts';
export { compilePattern } from './pattern.ts';
