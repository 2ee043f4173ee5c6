export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // Minutes long, and of a machine that has nothing else to do: `npm run test:faults`.
  testPathIgnorePatterns:
    process.env.FAULTS === 'all' ? [] : ['fault/redis-(faults|cluster|calls)'],
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
