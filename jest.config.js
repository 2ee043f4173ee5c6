export default {
  testEnvironment: 'node',
  // Tests wait for what happens, however long it takes where the machine has other things to do.
  testTimeout: 30_000,
  // Jest leaves one core idle, which is half of a small machine.
  maxWorkers: '100%',
  // Modules of test files stay in the memory of a worker. Near the limit of its heap, it crawls.
  workerIdleMemoryLimit: '1GB',
  roots: ['<rootDir>/test'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-eventstream$': '<rootDir>/lib/index.ts',
    '^nestjs-eventstream/(.+)$': '<rootDir>/lib/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, verbatimModuleSyntax: true },
          target: 'es2022',
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/**/*.ts'],
};
