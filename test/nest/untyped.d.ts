// Middlewares of Express whose typings are packages of their own.
declare module 'cookie-parser' {
  const middleware: () => (request: unknown, response: unknown, next: () => void) => void;
  export default middleware;
}
declare module 'express-session' {
  const middleware: (
    options: object,
  ) => (request: unknown, response: unknown, next: () => void) => void;
  export default middleware;
}
