// What `require()` loads: the modules that `import` loads too, so that each class and token exists
// once.
/** @ts-ignore TypeScript before 5.8 refuses to require ES modules (TS1479); Node 20.19 and newer load them. */
export * from './index.js';
